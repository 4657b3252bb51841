// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// A virtual clock turned by hand, with the queue that it runs: tests step it to the nanosecond, and a software CPU may turn
/// it by what it executed. One thread turns it; any thread may read it.
/// </summary>
public sealed class ManualClock : IVirtualClock
{
    // Far beyond what chips with deadlines at one time can need: only a handler that arms for the past gets here.
    private const int ReportsWithoutProgress = 1_000_000;

    private long _now;

    /// <summary>Makes a clock.</summary>
    /// <param name="deadlines">The queue to run; null makes one.</param>
    /// <param name="now">The time to start from, in virtual nanoseconds.</param>
    public ManualClock(DeadlineQueue? deadlines = null, long now = 0)
    {
        Deadlines = deadlines ?? new();
        _now = now;
    }

    /// <summary>The queue that this clock runs.</summary>
    public DeadlineQueue Deadlines { get; }

    /// <inheritdoc/>
    public long Now => Volatile.Read(ref _now);

    /// <summary>
    /// Moves on by a span, stopping at each deadline on the way, so that each is reported at exactly its due time.
    /// </summary>
    /// <param name="nanoseconds">How far, not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">The span is negative or ends beyond the clock's range.</exception>
    /// <exception cref="InvalidOperationException">A handler keeps arming for a time that has passed.</exception>
    public void Advance(long nanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nanoseconds);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nanoseconds, long.MaxValue - Math.Max(Now, 0), nameof(nanoseconds));
        AdvanceTo(Now + nanoseconds);
    }

    /// <summary>Moves on to a time, stopping at each deadline on the way.</summary>
    /// <param name="time">The time, not before <see cref="Now"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time has passed.</exception>
    /// <exception cref="InvalidOperationException">A handler keeps arming for a time that has passed.</exception>
    public void AdvanceTo(long time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, Now);
        int stuck = 0;
        for (long due = Deadlines.NextDue; due <= time && due != long.MaxValue; due = Deadlines.NextDue)
        {
            stuck = due > Now ? 0 : stuck + 1;
            if (stuck > ReportsWithoutProgress)
            {
                throw new InvalidOperationException($"A deadline is armed again and again for {due} ns, which is not after {Now} ns.");
            }

            Volatile.Write(ref _now, Math.Max(due, Now));
            Deadlines.RunDue(Now);
        }

        Volatile.Write(ref _now, time);
    }

    /// <summary>
    /// Moves on by a span at once, as a clock does whose host was suspended, and only then runs what is due: handlers see
    /// themselves late.
    /// </summary>
    /// <param name="nanoseconds">How far, not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">The span is negative or ends beyond the clock's range.</exception>
    public void Jump(long nanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nanoseconds);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nanoseconds, long.MaxValue - Math.Max(Now, 0), nameof(nanoseconds));
        Volatile.Write(ref _now, Now + nanoseconds);
        Deadlines.RunDue(Now);
    }
}
