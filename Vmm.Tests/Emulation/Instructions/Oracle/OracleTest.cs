// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics.X86;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Runs the forms of a mode and says what came out.</summary>
internal static class OracleTest
{
    private const int MostDifferences = 200;

    /// <summary>States that are tried in addition where the first ones did not show a form of user mode.</summary>
    private const int MoreStates = 30;

    /// <summary>The seed of long runs: VMM_ORACLE_SEED, or 0.</summary>
    internal static int LongSeed { get; } = int.Parse(Environment.GetEnvironmentVariable("VMM_ORACLE_SEED") ?? "0", CultureInfo.InvariantCulture);

    /// <param name="mode">The state of the CPU.</param>
    /// <param name="forms">The forms.</param>
    /// <param name="states">How many states of each.</param>
    /// <param name="seed">Where the numbers that scenarios are drawn from start.</param>
    /// <param name="translates">Whether ours is the translation of the instruction's block.</param>
    internal static void Run(OracleMode mode, IEnumerable<InstructionForm> forms, int states, int seed = 0, bool translates = false)
    {
        if (!Avx2.IsSupported || !Bmi2.X64.IsSupported)
        {
            Assert.Ignore("The oracle needs a processor with AVX2 and BMI2.");
        }

        using OracleRun run = new(mode, translates);
        long begin = Stopwatch.GetTimestamp();
        int total = 0;
        List<string> missing = [];
        List<string> interpreted = [];
        foreach (InstructionForm form in forms)
        {
            int compared = 0;
            bool isTranslated = false;
            bool isShown = false;
            for (int state = 0; state < states + MoreStates && run.Differences.Count < MostDifferences; state++)
            {
                if (state >= states && (isShown || mode != OracleMode.User64))
                {
                    break;
                }

                bool isCompared = run.Compare(form, seed + total * 1000 + state);
                compared += isCompared ? 1 : 0;
                isTranslated |= isCompared && run.IsTranslated;
                isShown = compared > 0 && (isTranslated || !translates);
            }

            if (compared == 0)
            {
                missing.Add(form.Name);
            }
            else if (translates && !isTranslated)
            {
                interpreted.Add(form.Name);
            }

            total++;
        }

        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        TestContext.Out.WriteLine(
            $"{mode}: {total} forms, {run.Compared} states compared, {run.Faulted} of them with an exception, {run.NotExecuted} not executed by KVM, "
            + $"{run.Endless} endless; {run.Compared / seconds:F0} a second");
        foreach ((string reason, int count) in run.Explained)
        {
            TestContext.Out.WriteLine($"{count} times {reason}");
        }

        TestContext.Out.WriteLine($"Never compared: {string.Join(", ", missing)}");
        TestContext.Out.WriteLine($"Never translated: {string.Join(", ", interpreted)}");
        run.Differences.ForEach(TestContext.Out.WriteLine);
        run.Differences.Count.Should().Be(0, "both sides must end alike; the differences are in the test's output");
        CheckCoverage(mode, total, missing, interpreted);
        run.Explained.Values.Sum().Should().BeLessThan(run.Compared / 4, "known differences are exceptions");
    }

    /// <summary>Forms of user mode are shown without exception. In kernel mode a host may have no more than KVM's emulator does.</summary>
    private static void CheckCoverage(OracleMode mode, int total, List<string> missing, List<string> interpreted)
    {
        interpreted.Should().BeEmpty("each form has a state in which its block became a method");
        if (mode == OracleMode.User64)
        {
            missing.Should().BeEmpty("each form has a state in which both sides execute it");
        }
        else
        {
            missing.Count.Should().BeLessThan(total * 3 / 4, "both sides execute many forms");
        }
    }
}
