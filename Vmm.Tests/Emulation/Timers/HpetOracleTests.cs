// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Random programs: the closed form against the specification stepped tick by tick.</summary>
[TestFixture]
internal sealed class HpetOracleTests
{
    [Test]
    public void Random_programs_agree_with_the_specification([Range(1, 12)] int seed, [Values] bool wide) =>
        Programs.Check(seed, 300, Generate, program => Run(program, wide));

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Long_random_programs_agree_with_the_specification([Range(1000, 1074)] int seed, [Values] bool wide) =>
        Programs.Check(seed, 1000, Generate, program => Run(program, wide));

    private static Step Generate(Random random)
    {
        int timer = 0x100 + (0x20 * random.Next(8));
        return random.Next(20) switch
        {
            0 => new(Kind.Write, 0x10, (ulong)(random.Next(8) == 0 ? 0 : 1)),
            1 => new(Kind.Write, 0x20, (ulong)random.Next(256)),
            2 => new(Kind.Write, 0xf0, Value(random)),
            3 or 4 or 5 => new(Kind.Write, timer, (ulong)(random.Next(0x4000) | 0x3004) & ~(ulong)(random.Next(4) == 0 ? 4 : 0)),
            6 => new(Kind.Write, timer, (ulong)random.Next(0x10000)),
            7 or 8 or 9 or 10 => new(Kind.Write, timer + 8, Value(random)),
            11 => new(Kind.Read, 0xf0, 0),
            12 => new(Kind.Read, 0x20, 0),
            13 => new(Kind.Read, timer, 0),
            14 or 15 => new(Kind.Read, timer + 8, 0),
            16 => new(Kind.Jump, 0, (ulong)random.Next(100_000)),
            _ => new(Kind.Advance, 0, (ulong)random.Next(random.Next(4) == 0 ? 500_000 : 5_000)),
        };
    }

    // Small values, values just below a wrap of 32 and of 64 bits, and anything.
    private static ulong Value(Random random) => random.Next(6) switch
    {
        0 => uint.MaxValue - (ulong)random.Next(5000),
        1 => ulong.MaxValue - (ulong)random.Next(5000),
        2 => (ulong)random.NextInt64(),
        _ => (ulong)random.Next(5000),
    };

    private static string? Run(IReadOnlyList<Step> program, bool wide)
    {
        var clock = new ManualClock(now: 12345);
        var outputs = new RecordingHpetOutputs(clock);
        var chip = new Hpet(clock, clock.Deadlines, outputs, new() { Wide = wide });
        var reference = new ReferenceHpet(wide);
        foreach (Step step in program)
        {
            outputs.Log.Clear();
            reference.Fired.Clear();
            if (step.Kind == Kind.Advance)
            {
                clock.Advance((long)step.Value);
            }
            else if (step.Kind == Kind.Jump)
            {
                clock.Jump((long)step.Value);
            }

            reference.RunTo(clock.Now);
            if (step.Kind == Kind.Write)
            {
                chip.Write((ulong)step.Offset, 8, step.Value);
                reference.Write(step.Offset, step.Value, clock.Now);
            }
            else if (step.Kind == Kind.Read)
            {
                ulong value = chip.Read((ulong)step.Offset, 8);
                ulong expected = reference.Read(step.Offset);
                if (value != expected)
                {
                    return $"{step} at {clock.Now} ns gave {value:x}, not {expected:x}";
                }
            }

            if (chip.Save().Status != reference.Status)
            {
                return $"{step} until {clock.Now} ns: status {chip.Save().Status:x}, not {reference.Status:x}";
            }

            string? interrupts = step.Kind == Kind.Advance ? Compare(outputs, reference) : null;
            if (interrupts is not null)
            {
                return $"{step} until {clock.Now} ns: {interrupts}";
            }
        }

        return null;
    }

    // A pulse into an input that another timer holds up is not seen, so only messages and first rises are compared in time.
    private static string? Compare(RecordingHpetOutputs outputs, ReferenceHpet reference)
    {
        List<long> seen = [.. outputs.Log.Where(entry => !entry.What.EndsWith("down", StringComparison.Ordinal)).Select(entry => entry.Time).Distinct()];
        List<long> due = [.. reference.Fired.Select(entry => entry.Time).Distinct()];
        return seen.All(due.Contains) && (outputs.Pins != 0 || due.All(seen.Contains))
            ? null
            : $"interrupts at [{string.Join(' ', seen)}], not [{string.Join(' ', due)}]";
    }

    private enum Kind
    {
        Advance,
        Jump,
        Write,
        Read,
    }

    private sealed record Step(Kind Kind, int Offset, ulong Value)
    {
        public override string ToString() => $"{Kind} {Offset:x3} {Value:x}";
    }
}
