// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Runs random programs against a chip and its reference; a program that fails is shrunk before it is shown.</summary>
internal static class Programs
{
    /// <summary>Generates a program from a seed and runs it.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="steps">The program's length.</param>
    /// <param name="generate">Makes one step.</param>
    /// <param name="run">Runs a program on fresh chips; null when they agree, else what differed.</param>
    internal static void Check<TStep>(int seed, int steps, Func<Random, TStep> generate, Func<IReadOnlyList<TStep>, string?> run)
    {
        var random = new Random(seed);
        List<TStep> program = [.. Enumerable.Range(0, steps).Select(_ => generate(random))];
        string? failure = run(program);
        if (failure is null)
        {
            return;
        }

        program = Shrink(program, run);
        Assert.Fail($"seed {seed}: {run(program)}{Environment.NewLine}{string.Join(Environment.NewLine, program)}");
    }

    private static List<TStep> Shrink<TStep>(List<TStep> program, Func<IReadOnlyList<TStep>, string?> run)
    {
        for (int size = program.Count / 2; size > 0; size /= 2)
        {
            for (int start = program.Count - size; start >= 0; start -= size)
            {
                List<TStep> shorter = [.. program.Take(start), .. program.Skip(start + size)];
                if (run(shorter) is not null)
                {
                    program = shorter;
                    start = Math.Min(start, program.Count);
                }
            }
        }

        return program;
    }
}
