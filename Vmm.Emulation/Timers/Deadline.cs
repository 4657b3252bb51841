// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// One alarm of one chip: made once by <see cref="DeadlineQueue.Create"/>, armed and disarmed as often as needed without
/// allocation. Its properties may be read from any thread and are out of date at once if another thread arms it.
/// </summary>
public sealed class Deadline
{
    internal const int NotQueued = -1;

    private int _index = NotQueued;
    private long _due;

    internal Deadline(DeadlineQueue queue, IDeadlineHandler handler, int timer)
    {
        Queue = queue;
        Handler = handler;
        Timer = timer;
    }

    /// <summary>Whether it waits in the queue.</summary>
    public bool IsArmed => Volatile.Read(ref _index) != NotQueued;

    /// <summary>The time it was last armed for, in virtual nanoseconds.</summary>
    public long Due => Volatile.Read(ref _due);

    internal DeadlineQueue Queue { get; }

    internal IDeadlineHandler Handler { get; }

    internal int Timer { get; }

    // The rest is the queue's, under its lock: the place in the heap, and the order of arming that decides among equals.
    internal int Index
    {
        get => _index;
        set => Volatile.Write(ref _index, value);
    }

    internal ulong Order { get; private set; }

    internal void SetDue(long due, ulong order)
    {
        Volatile.Write(ref _due, due);
        Order = order;
    }

    internal bool IsBefore(Deadline other) => _due < other._due || (_due == other._due && Order < other.Order);
}
