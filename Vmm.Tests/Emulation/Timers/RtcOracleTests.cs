// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Random programs: the closed form against the data sheet stepped through its divider chain.</summary>
[TestFixture]
internal sealed class RtcOracleTests
{
    [Test]
    public void Random_programs_agree_with_the_data_sheet([Range(1, 20)] int seed) => Programs.Check(seed, 200, Generate, Run);

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Long_random_programs_agree_with_the_data_sheet([Range(1000, 1149)] int seed) => Programs.Check(seed, 1000, Generate, Run);

    private static Step Generate(Random random) => random.Next(24) switch
    {
        0 => new(Kind.Write, 10, random.Next(8) == 0 ? random.Next(256) : 0x20 | random.Next(16)),
        1 or 2 => new(Kind.Write, 11, random.Next(8) == 0 ? random.Next(256) : random.Next(128)),
        3 => new(Kind.Write, 10, 0x20),
        4 or 5 => new(Kind.Write, 1 + (2 * random.Next(3)), random.Next(3) == 0 ? random.Next(256) : random.Next(192, 256)),
        6 => new(Kind.Write, random.Next(11) is var field && field == 10 ? 0x32 : field, random.Next(3) == 0 ? random.Next(256) : random.Next(0x20)),
        7 => new(Kind.Write, 0x32, random.Next(2) == 0 ? 0x20 : 20),
        8 => new(Kind.Write, 8, random.Next(1, 10)),
        9 => new(Kind.Write, 7, random.Next(1, 10)),
        10 or 11 or 12 => new(Kind.Read, 12, 0),
        13 => new(Kind.Read, 10, 0),
        14 or 15 or 16 => new(Kind.Read, random.Next(14), 0),
        17 => new(Kind.Read, 0x32, 0),
        18 => new(Kind.Jump, 0, random.NextInt64(3_000_000_000)),
        19 => new(Kind.Days, 0, random.NextInt64(200_000_000_000_000)),
        20 => new(Kind.Advance, 0, random.NextInt64(3_000_000_000)),
        _ => new(Kind.Advance, 0, random.Next(300_000_000)),
    };

    private static string? Run(IReadOnlyList<Step> program)
    {
        var clock = new ManualClock(now: 777);
        var line = new TimedLine(clock);
        var chip = new Rtc(clock, clock.Deadlines, line, new DateTimeOffset(1999, 12, 31, 23, 59, 50, TimeSpan.Zero));
        var reference = new ReferenceRtc(clock.Now, 1999, 12, 31, 23, 59, 50);
        foreach (Step step in program)
        {
            line.Rises.Clear();
            reference.Rises.Clear();
            bool late = step.Kind is Kind.Jump or Kind.Days;
            if (step.Kind == Kind.Advance)
            {
                clock.Advance(step.Value);
            }
            else if (late && (step.Kind == Kind.Jump || (chip.Save().Memory.Span[10] & 15) == 0))
            {
                clock.Jump(step.Value);
            }

            reference.RunTo(clock.Now);
            chip.Write(0x70, 1, (uint)step.Register);
            reference.Address(step.Register);
            if (step.Kind == Kind.Write)
            {
                chip.Write(0x71, 1, (uint)step.Value);
                reference.Write((int)step.Value, clock.Now);
            }
            else if (step.Kind == Kind.Read)
            {
                chip.Read(0x71, 1, out uint value);
                byte expected = reference.Read(clock.Now);
                if (value != expected)
                {
                    return $"{step} at {clock.Now} ns gave {value:x2}, not {expected:x2}";
                }
            }

            if (line.Level != reference.Line || (late ? line.Rises.Count != reference.Rises.Count : !line.Rises.SequenceEqual(reference.Rises)))
            {
                return $"{step} until {clock.Now} ns: interrupts at [{string.Join(' ', line.Rises)}], not [{string.Join(' ', reference.Rises)}]";
            }
        }

        return null;
    }

    private enum Kind
    {
        Advance,
        Jump,
        Days,
        Write,
        Read,
    }

    private sealed record Step(Kind Kind, int Register, long Value);
}
