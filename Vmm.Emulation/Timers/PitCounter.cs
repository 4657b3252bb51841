// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// One counter of an 8254, after the 82C54 data sheet, in closed form: <see cref="Advance"/> by any number of clock pulses
/// costs the same as by one.
/// </summary>
/// <remarks>
/// Where the data sheet leaves behaviour undefined: a count of 1 is illegal in modes 2 and 3, and here leaves OUT still; a
/// decimal digit above 9 counts with its value, modulo 10000; a strobe lasts one clock pulse whatever the gate does.
/// </remarks>
internal partial struct PitCounter
{
    /// <summary>No edge to come.</summary>
    public const long Never = long.MaxValue;

    private const int LowByte = 1;
    private const int HighByte = 2;
    private const int Word = 3;
    private const byte StatusOutput = 0x80;
    private const byte StatusNullCount = 0x40;

    public PitCounterState State;

    /// <summary>The mode, 0 to 5: the highest bit does not count when the middle one is set.</summary>
    public readonly int Mode => (State.Control & 0x04) != 0 ? (State.Control >> 1) & 0x03 : (State.Control >> 1) & 0x07;

    private readonly int Access => (State.Control >> 4) & 3;

    private readonly bool IsDecimal => (State.Control & 1) != 0;

    /// <summary>How many counts there are: what a count of zero stands for.</summary>
    public readonly int Modulus => IsDecimal ? 10_000 : 0x1_0000;

    /// <summary>The count in the count register, 1 to <see cref="Modulus"/>.</summary>
    public readonly int Count
    {
        get
        {
            int raw = State.CountRegister;
            int count = IsDecimal
                ? (((raw >> 12) * 1000) + (((raw >> 8) & 15) * 100) + (((raw >> 4) & 15) * 10) + (raw & 15)) % Modulus
                : raw;
            return count == 0 ? Modulus : count;
        }
    }

    private readonly bool Counts => State.Running && (State.Gate || Mode is 1 or 5);

    // Clock pulses until the counting element is next zero.
    private readonly int ToZero => State.CountingElement == 0 ? Modulus : State.CountingElement;

    // The last pulse at which it was zero, at most a whole wrap ago: not positive.
    private readonly int SinceZero => (State.CountingElement % Modulus) - (State.CountingElement % Modulus == 0 ? 0 : Modulus);

    // Clock pulses until the present half cycle ends. An odd count gives its extra pulse to the high half.
    private readonly int ToHalfEnd => (State.CountingElement / 2) + (State.OddHalf && State.Output ? 1 : 0);

    /// <summary>A counter that has never been programmed: its OUT is low and stays so.</summary>
    /// <param name="gate">The level at GATE.</param>
    public static PitCounterState PowerOn(bool gate) => new() { Control = Word << 4, Gate = gate, NullCount = true };

    /// <summary>Whether a counter can be in a state; any such state is safe to advance.</summary>
    /// <param name="state">The state.</param>
    public static bool IsValid(in PitCounterState state)
    {
        PitCounter counter = new() { State = state };
        int element = state.CountingElement;
        bool range = element >= 0 && element <= counter.Modulus && state.Control is >= 0x10 and <= 0x3f;
        return range && counter.Mode switch
        {
            2 => !state.Running || element > 0,
            3 => !state.Running || ((element & 1) == 0 && (element > 0 || (state.OddHalf && state.Output))),
            _ => !state.OddHalf,
        };
    }

    /// <summary>A control word, not a latch or read-back command: everything but the counting element starts afresh.</summary>
    /// <param name="control">Bits 5 to 0; access is not zero.</param>
    public void WriteControl(int control)
    {
        State = new()
        {
            Control = (byte)(control & 0x3f),
            CountingElement = State.CountingElement % Modulus,
            Gate = State.Gate,
            NullCount = true,
        };
        State.CountingElement %= Modulus;
        State.Output = Mode != 0;
    }

    /// <summary>A byte to the counter's port.</summary>
    /// <param name="value">The byte.</param>
    public void Write(byte value)
    {
        switch (Access)
        {
            case LowByte:
                WriteCount(value);
                break;
            case HighByte:
                WriteCount((ushort)(value << 8));
                break;
            case Word when State.WriteHigh:
                State.WriteHigh = false;
                WriteCount((ushort)(State.WriteLatch | (value << 8)));
                break;
            case Word:
                State.WriteLatch = value;
                State.WriteHigh = true;

                // The first byte stops mode 0 at once, without a clock pulse.
                if (Mode == 0)
                {
                    State.Running = false;
                    State.LoadPending = false;
                    State.Output = false;
                }

                break;
            default:
                break;
        }
    }

    /// <summary>Reads a byte: a latched status, else a latched count, else the running count.</summary>
    public byte Read()
    {
        if (State.StatusLatched)
        {
            State.StatusLatched = false;
            return State.LatchedStatus;
        }

        if (!State.CountLatched)
        {
            bool high = Access == HighByte || (Access != LowByte && State.ReadHigh);
            State.ReadHigh = Access is not LowByte and not HighByte && !State.ReadHigh;
            return (byte)(high ? Reading() >> 8 : Reading());
        }

        if (Access is not LowByte and not HighByte && !State.LatchHigh)
        {
            State.LatchHigh = true;
            return (byte)State.LatchedCount;
        }

        ushort latched = State.LatchedCount;
        State.CountLatched = false;
        State.LatchHigh = false;
        State.LatchedCount = 0;
        return (byte)(Access == LowByte ? latched : latched >> 8);
    }

    /// <summary>Latches the count; a latched count stays until it has been read.</summary>
    public void LatchCount()
    {
        if (!State.CountLatched)
        {
            State.CountLatched = true;
            State.LatchHigh = false;
            State.LatchedCount = Reading();
        }
    }

    /// <summary>Latches the status; a latched status stays until it has been read.</summary>
    public void LatchStatus()
    {
        if (!State.StatusLatched)
        {
            State.StatusLatched = true;
            State.LatchedStatus = (byte)(State.Control
                | (State.Output ? StatusOutput : 0) | (State.NullCount ? StatusNullCount : 0));
        }
    }

    /// <summary>Drives GATE. A rising edge triggers modes 1, 2, 3 and 5; a low level sets OUT high at once in modes 2 and 3.</summary>
    /// <param name="level">The level.</param>
    public void SetGate(bool level)
    {
        bool rising = level && !State.Gate;
        State.Gate = level;
        if (rising && Mode is 1 or 2 or 3 or 5 && State.CountWritten)
        {
            State.LoadPending = true;
        }
        else if (!level && Mode is 2 or 3)
        {
            State.Output = true;
        }
    }

    /// <summary>Applies clock pulses.</summary>
    /// <param name="ticks">How many; nothing happens when not positive.</param>
    /// <returns>Whether OUT rose on the way.</returns>
    public bool Advance(long ticks)
    {
        bool before = State.Output;
        bool rose = false;
        if (ticks > 0 && State.LoadPending)
        {
            Load();
            ticks--;
            rose = State.Output && !before;
        }

        if (ticks <= 0)
        {
            return rose;
        }

        if (!Counts)
        {
            return rose | EndStrobe();
        }

        return rose | Mode switch
        {
            2 => AdvanceRate(ticks),
            3 => AdvanceSquare(ticks),
            4 or 5 => AdvanceStrobe(ticks),
            _ => AdvanceOneShot(ticks),
        };
    }

    /// <summary>
    /// Clock pulses until OUT next changes; in the modes whose low level lasts one pulse (2, 4, 5), until it next rises.
    /// </summary>
    public readonly long TicksToEdge()
    {
        if (State.LoadPending)
        {
            PitCounter loaded = this;
            loaded.Advance(1);
            if (loaded.State.Output != State.Output && (loaded.State.Output || Mode == 1))
            {
                return 1;
            }

            long rest = loaded.TicksToEdge();
            return rest == Never ? Never : rest + 1;
        }

        if (Mode is 4 or 5 && !State.Output)
        {
            return 1;
        }

        if (!Counts)
        {
            return Never;
        }

        return Mode switch
        {
            2 => Count > 1 ? State.CountingElement : Never,
            3 => Count > 1 || !State.Output ? ToHalfEnd : Never,
            4 or 5 => State.StrobeArmed ? ToZero + 1 : Never,
            _ => State.Output ? Never : ToZero,
        };
    }

    private void WriteCount(ushort count)
    {
        State.CountRegister = count;
        State.NullCount = true;
        switch (Mode)
        {
            case 0:
                State.Output = false;
                State.LoadPending = true;
                break;
            case 4:
                State.LoadPending = true;
                break;
            case 2 or 3 when !State.CountWritten:
                State.LoadPending = true;
                break;
            default:
                break;
        }

        State.CountWritten = true;
    }

    private void Load()
    {
        State.LoadPending = false;
        State.Running = true;
        Reload();
        switch (Mode)
        {
            case 1:
                State.Output = false;
                break;
            case 2:
                State.Output = State.CountingElement != 1 || !State.Gate;
                break;
            case 4 or 5:
                State.Output = true;
                State.StrobeArmed = true;
                break;
            default:
                break;
        }
    }

    private void Reload()
    {
        int count = Count;
        State.NullCount = false;
        State.OddHalf = Mode == 3 && (count & 1) != 0;
        State.CountingElement = Mode == 3 ? count & ~1 : count;
    }

    private readonly ushort Reading()
    {
        int value = State.CountingElement % Modulus;
        return (ushort)(IsDecimal
            ? ((value / 1000) << 12) | ((value / 100 % 10) << 8) | ((value / 10 % 10) << 4) | (value % 10)
            : value);
    }
}
