// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Random programs: the closed form against the data sheet's definitions stepped pulse by pulse.</summary>
[TestFixture]
internal sealed class AtPitOracleTests
{
    private const int Hertz = 1_193_182;

    [Test]
    public void Random_programs_agree_with_the_data_sheet([Range(1, 20)] int seed) => Programs.Check(seed, 250, Generate, Run);

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Long_random_programs_agree_with_the_data_sheet([Range(1000, 1199)] int seed) => Programs.Check(seed, 1000, Generate, Run);

    private static Step Generate(Random random)
    {
        int port = 0x40 + random.Next(3);
        return random.Next(16) switch
        {
            0 or 1 => new(Kind.Write, 0x43, random.Next(192)),
            2 => new(Kind.Write, 0x43, 192 + random.Next(64)),
            3 or 4 => new(Kind.Write, port, random.Next(4)),
            5 or 6 => new(Kind.Write, port, random.Next(256)),
            7 => new(Kind.Write, 0x61, random.Next(16)),
            8 => new(Kind.Read, 0x61, 0),
            9 or 10 or 11 => new(Kind.Read, port, 0),
            12 => new(Kind.Advance, 0, random.Next(50_000_000) / (random.Next(10) == 0 ? 1 : 100)),
            13 => new(Kind.Jump, 0, random.Next(5_000_000)),
            _ => new(Kind.Advance, 0, random.Next(10_000)),
        };
    }

    private static string? Run(IReadOnlyList<Step> program)
    {
        var clock = new ManualClock();
        var line = new TimedLine(clock);
        var chip = new AtPit(clock, clock.Deadlines, line);
        var reference = new ReferencePit();
        foreach (Step step in program)
        {
            int rises = line.Rises.Count;
            int expectedRises = reference.Rises.Count;
            if (step.Kind == Kind.Advance)
            {
                clock.Advance(step.Value);
            }
            else if (step.Kind == Kind.Jump)
            {
                clock.Jump(step.Value);
            }

            reference.RunTo((long)((UInt128)clock.Now * Hertz / 1_000_000_000));
            if (step.Kind == Kind.Write)
            {
                chip.Write((ushort)step.Port, 1, (uint)step.Value);
                reference.Write(step.Port, step.Value);
            }
            else if (step.Kind == Kind.Read)
            {
                chip.Read((ushort)step.Port, 1, out uint value);
                int expected = reference.Read(step.Port);
                if (value != expected)
                {
                    return $"{step} at {clock.Now} ns gave {value:x2}, not {expected:x2}";
                }
            }

            var seen = line.Rises.Skip(rises).Select(time => (long)((UInt128)time * Hertz / 1_000_000_000)).ToList();
            List<long> due = [.. reference.Rises.Skip(expectedRises)];
            bool same = step.Kind == Kind.Jump ? seen.Count == Math.Min(due.Count, 1) : seen.SequenceEqual(due);
            if (!same)
            {
                return $"{step} until {clock.Now} ns: interrupts at [{string.Join(' ', seen)}], not [{string.Join(' ', due)}]";
            }
        }

        return null;
    }

    private enum Kind
    {
        Advance,
        Jump,
        Write,
        Read,
    }

    private sealed record Step(Kind Kind, int Port, int Value);
}
