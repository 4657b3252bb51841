// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// Converts between virtual nanoseconds and the ticks of a clock that has ticked since time zero: exactly, without drift,
/// over the whole range. Tick k lies at the first nanosecond at or after k / frequency.
/// </summary>
/// <param name="Frequency">Ticks a second.</param>
internal readonly record struct TickRate(uint Frequency)
{
    private const long Second = 1_000_000_000;

    /// <summary>Ticks up to and including a time; rounds towards the past, before time zero as well.</summary>
    /// <param name="nanoseconds">The time.</param>
    public long TicksAt(long nanoseconds)
    {
        // Whole seconds are exact, and the rest stays below 2^62: no intermediate needs more than 64 bits.
        (long seconds, long rest) = FloorDivide(nanoseconds, Second);
        return (seconds * Frequency) + (rest * Frequency / Second);
    }

    /// <summary>The first nanosecond at which a tick has happened; <see cref="long.MaxValue"/> when beyond the range.</summary>
    /// <param name="ticks">The tick.</param>
    public long TimeOf(long ticks)
    {
        (long seconds, long rest) = FloorDivide(ticks, Frequency);
        if (seconds >= long.MaxValue / Second)
        {
            return long.MaxValue;
        }

        if (seconds <= long.MinValue / Second)
        {
            return long.MinValue;
        }

        return (seconds * Second) + (((rest * Second) + Frequency - 1) / Frequency);
    }

    /// <summary>The first tick that does not lie before a time.</summary>
    /// <param name="nanoseconds">The time.</param>
    public long FirstTickAt(long nanoseconds) => nanoseconds == long.MinValue ? TicksAt(nanoseconds) : TicksAt(nanoseconds - 1) + 1;

    private static (long Quotient, long Remainder) FloorDivide(long value, long divisor)
    {
        (long quotient, long remainder) = Math.DivRem(value, divisor);
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder);
    }
}
