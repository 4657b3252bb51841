// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <content>What many clock pulses do at once, mode by mode; and the way from and to a time at which a count ends.</content>
internal partial struct PitCounter
{
    /// <summary>
    /// Clock pulses until the present count ends (in mode 3 the whole period), not positive when it ended in the past and
    /// does not repeat; null when nothing counts. As if the gate were open.
    /// </summary>
    public readonly long? ToTarget()
    {
        if (State.LoadPending)
        {
            return Count + 1L;
        }

        if (!State.Running)
        {
            return null;
        }

        return Mode switch
        {
            2 => State.CountingElement,
            3 => ToHalfEnd + (State.Output ? Count / 2 : 0),
            4 or 5 => State.StrobeArmed ? ToZero : SinceZero,
            _ => State.Output ? SinceZero : ToZero,
        };
    }

    /// <summary>Makes the counter one that <see cref="ToTarget"/> gives a number for, as near as it can be.</summary>
    /// <param name="ticks">The number.</param>
    public void StartTowards(long ticks)
    {
        int count = Count;
        if (Mode is 2 or 3 && (ticks <= 0 || ticks > count + 1))
        {
            long phase = ticks % count;
            ticks = phase <= 0 ? phase + count : phase;
        }

        if (ticks > count)
        {
            StartNow();
            return;
        }

        State.Running = true;
        switch (Mode)
        {
            case 2:
                State.CountingElement = (int)ticks;
                State.Output = ticks != 1;
                break;
            case 3:
                StartSquare((int)ticks);
                break;
            default:
                State.StrobeArmed = Mode is 4 or 5 && ticks > 0;
                State.Output = Mode is 4 or 5 ? ticks != 0 : ticks <= 0;
                State.CountingElement = 0;
                Decrement(-(ticks % Modulus));
                State.CountingElement = ticks > 0 ? (int)ticks : State.CountingElement;
                break;
        }

        State.Output |= Mode is 2 or 3 && !State.Gate;
    }

    /// <summary>Makes the next clock pulse load the count; modes 1 and 5 wait for their trigger.</summary>
    public void StartNow()
    {
        State.LoadPending = Mode is not 1 and not 5;
        State.NullCount |= State.LoadPending;
    }

    private void StartSquare(int ticks)
    {
        int count = Count;
        int low = count / 2;
        State.OddHalf = (count & 1) != 0;
        State.Output = count == 1 || ticks > low;
        int steps = State.Output ? ticks - low : ticks;
        State.CountingElement = 2 * (steps - (State.OddHalf && State.Output ? 1 : 0));
    }

    private void Decrement(long ticks)
    {
        int modulus = Modulus;
        int element = (State.CountingElement - (int)(ticks % modulus)) % modulus;
        State.CountingElement = element < 0 ? element + modulus : element;
    }

    private bool AdvanceOneShot(long ticks)
    {
        bool rose = !State.Output && ticks >= ToZero;
        State.Output |= rose;
        Decrement(ticks);
        return rose;
    }

    private bool EndStrobe()
    {
        bool ends = Mode is 4 or 5 && !State.Output;
        State.Output |= ends;
        return ends;
    }

    private bool AdvanceStrobe(long ticks)
    {
        bool rose = EndStrobe();
        int toZero = ToZero;
        if (State.StrobeArmed && ticks >= toZero)
        {
            State.StrobeArmed = false;
            State.Output = ticks > toZero;
            rose |= State.Output;
        }

        Decrement(ticks);
        return rose;
    }

    private bool AdvanceRate(long ticks)
    {
        bool rose = false;
        if (ticks < State.CountingElement)
        {
            State.CountingElement -= (int)ticks;
        }
        else
        {
            ticks -= State.CountingElement;
            Reload();
            int count = State.CountingElement;
            State.CountingElement = count - (int)(ticks % count);
            rose = count > 1;
        }

        State.Output = State.CountingElement != 1;
        return rose;
    }

    private bool AdvanceSquare(long ticks)
    {
        int toEnd = ToHalfEnd;
        if (ticks < toEnd)
        {
            State.CountingElement -= 2 * (int)ticks;
            return false;
        }

        ticks -= toEnd;
        Reload();
        int count = Count;
        if (count == 1)
        {
            bool rises = !State.Output;
            State.Output = true;
            return rises;
        }

        State.Output = !State.Output;
        bool rose = State.Output || ticks >= count;
        int rest = (int)(ticks % count);
        int half = State.Output ? (count + 1) / 2 : count / 2;
        if (rest >= half)
        {
            rest -= half;
            State.Output = !State.Output;
            rose |= State.Output;
        }

        State.CountingElement -= 2 * rest;
        return rose;
    }
}
