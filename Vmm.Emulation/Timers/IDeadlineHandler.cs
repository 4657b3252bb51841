// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>What is told that a <see cref="Deadline"/> has been reached: a chip.</summary>
public interface IDeadlineHandler
{
    /// <summary>
    /// A deadline was reached and is no longer armed. Called on the thread that runs the queue, with no lock of the queue
    /// held; the handler may arm and disarm deadlines, the same one included.
    /// </summary>
    /// <remarks>
    /// A report that was taken out of the queue just before another thread disarmed or re-armed the deadline still arrives.
    /// A handler therefore takes its own lock, compares what it has armed itself with <paramref name="now"/>, and ignores
    /// a report when nothing of its own is due. It must not throw.
    /// </remarks>
    /// <param name="timer">The number given to <see cref="DeadlineQueue.Create"/>.</param>
    /// <param name="now">The time the queue was run for, in virtual nanoseconds: at or after the due time.</param>
    void DeadlineReached(int timer, long now);
}
