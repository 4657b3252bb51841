// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Random programs: the closed form against the specification stepped tick by tick.</summary>
[TestFixture]
internal sealed class PmTimerOracleTests
{
    private const long Begin = 12_345;

    // A little before the half turns of both widths, which are 2.3 s and 600 s apart.
    private const long BeforeHalfTurn = 50_000_000;

    [Test]
    public void Random_programs_agree_with_the_specification([Range(1, 10)] int seed, [Values] bool narrow) =>
        Programs.Check(seed, 200, Generate, program => Run(program, narrow));

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Long_random_programs_agree_with_the_specification([Range(1000, 1059)] int seed, [Values] bool narrow) =>
        Programs.Check(seed, 1000, Generate, program => Run(program, narrow));

    private static Step Generate(Random random) => random.Next(16) switch
    {
        0 or 1 or 2 => new(Kind.WriteStatus, random.Next(1, 3), random.Next(0x10000)),
        3 or 4 or 5 => new(Kind.WriteEnable, random.Next(1, 3), random.Next(0x10000)),
        6 => new(Kind.WriteBoth, 4, random.Next()),
        7 or 8 => new(Kind.ReadCounter, 4, 0),
        9 or 10 => new(Kind.ReadEvents, 4, 0),
        11 => new(Kind.Jump, 0, random.Next(50_000_000)),
        12 when random.Next(8) == 0 => new(Kind.Reset, 0, 0),
        13 => new(Kind.Advance, 0, random.Next(200_000_000)),
        _ => new(Kind.Advance, 0, random.Next(random.Next(2) == 0 ? 1_000 : 20_000_000)),
    };

    private static string? Run(IReadOnlyList<Step> program, bool narrow)
    {
        long halfTurn = (long)(((UInt128)1 << (narrow ? 23 : 31)) * 1_000_000_000 / PmTimer.Frequency);
        long timeBase = Begin + BeforeHalfTurn - halfTurn;
        var clock = new ManualClock(now: Begin);
        var line = new TimedLine(clock);
        var chip = new PmTimer(clock, clock.Deadlines, new() { Narrow = narrow, SystemControlInterrupt = line });
        chip.Restore(chip.Save() with { TimeBase = timeBase });
        var reference = new ReferencePmTimer(narrow, timeBase, Begin);
        foreach (Step step in program)
        {
            line.Rises.Clear();
            reference.Rises.Clear();
            MoveClock(clock, step);
            reference.RunTo(clock.Now);
            string? difference = Act(chip, reference, step);
            if (difference is null && line.Level != reference.Line)
            {
                difference = $"the line is {line.Level}, not {reference.Line}";
            }

            // A clock that jumps makes the alarm late.
            if (difference is null && step.Kind == Kind.Advance && !line.Rises.SequenceEqual(reference.Rises))
            {
                difference = $"rises at [{string.Join(' ', line.Rises)}], not [{string.Join(' ', reference.Rises)}]";
            }

            if (difference is not null)
            {
                return $"{step} until {clock.Now} ns: {difference}";
            }
        }

        return null;
    }

    private static void MoveClock(ManualClock clock, Step step)
    {
        if (step.Kind == Kind.Advance)
        {
            clock.Advance(step.Value);
        }
        else if (step.Kind == Kind.Jump)
        {
            clock.Jump(step.Value);
        }
    }

    private static string? Act(PmTimer chip, ReferencePmTimer reference, Step step)
    {
        switch (step.Kind)
        {
            case Kind.WriteStatus:
                chip.WriteEvents(0, step.Bytes, (uint)step.Value);
                reference.WriteStatus((byte)step.Value);
                return null;
            case Kind.WriteEnable:
                chip.WriteEvents(2, step.Bytes, (uint)step.Value);
                reference.WriteEnable((byte)step.Value);
                return null;
            case Kind.WriteBoth:
                chip.WriteEvents(0, step.Bytes, (uint)step.Value);
                reference.WriteStatus((byte)step.Value);
                reference.WriteEnable((byte)(step.Value >> 16));
                return null;
            case Kind.ReadCounter:
                chip.Read(4, out uint counter);
                return counter == reference.Counter ? null : $"the counter is {counter:x}, not {reference.Counter:x}";
            case Kind.ReadEvents:
                uint events = chip.ReadEvents(0, 4);
                return events == reference.Events ? null : $"the events are {events:x}, not {reference.Events:x}";
            case Kind.Reset:
                chip.Reset();
                reference.Reset();
                return null;
            default:
                return null;
        }
    }

    private enum Kind
    {
        Advance,
        Jump,
        WriteStatus,
        WriteEnable,
        WriteBoth,
        ReadCounter,
        ReadEvents,
        Reset,
    }

    private sealed record Step(Kind Kind, int Bytes, int Value)
    {
        public override string ToString() => $"{Kind} {Bytes} {Value:x}";
    }
}
