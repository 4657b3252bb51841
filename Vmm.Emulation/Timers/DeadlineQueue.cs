// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// The alarms of all chips of a VM, in one queue, so that one wait serves them all. Any thread.
/// </summary>
/// <remarks>
/// <para>
/// One lock, which is a leaf: no handler and no callback runs under it, so a chip may arm and disarm while it holds its own.
/// Deadlines due at the same time are reported in the order in which they were armed. Arming, disarming and running
/// allocate nothing.
/// </para>
/// <para>
/// What is promised about races: once <see cref="Arm"/> or <see cref="Disarm"/> has returned, the old due time is never
/// taken out of the queue again. A report that <see cref="RunDue"/> had taken out before, and is about to make, cannot
/// be recalled; see <see cref="IDeadlineHandler.DeadlineReached"/> for how a chip tells it from a valid one.
/// </para>
/// </remarks>
public sealed class DeadlineQueue
{
    private readonly Lock _lock = new();
    private readonly Action<long>? _earlier;
    private Deadline[] _heap = new Deadline[8];
    private int _count;
    private int _created;
    private ulong _order;
    private long _nextDue = long.MaxValue;

    /// <summary>Makes an empty queue.</summary>
    /// <param name="earlier">
    /// Called with the new value when <see cref="NextDue"/> has moved to an earlier time, so that whoever waits for it wakes
    /// up. Called on the arming thread, possibly with a chip's lock held: it must not call a chip, block or throw. Calls of
    /// two threads may arrive in either order; <see cref="NextDue"/> is right.
    /// </param>
    public DeadlineQueue(Action<long>? earlier = null) => _earlier = earlier;

    /// <summary>The earliest due time in virtual nanoseconds; <see cref="long.MaxValue"/> when nothing is armed.</summary>
    public long NextDue => Volatile.Read(ref _nextDue);

    /// <summary>Makes a deadline, not armed.</summary>
    /// <param name="handler">What is told when it is reached.</param>
    /// <param name="timer">A number by which the handler tells its deadlines apart.</param>
    /// <returns>The deadline, for the life of the queue.</returns>
    public Deadline Create(IDeadlineHandler handler, int timer)
    {
        ArgumentNullException.ThrowIfNull(handler);
        lock (_lock)
        {
            // Room for every deadline is made here, so that arming never allocates.
            _created++;
            if (_created > _heap.Length)
            {
                Array.Resize(ref _heap, _heap.Length * 2);
            }
        }

        return new(this, handler, timer);
    }

    /// <summary>Arms a deadline, or moves an armed one.</summary>
    /// <param name="deadline">A deadline of this queue.</param>
    /// <param name="due">
    /// When, in virtual nanoseconds; a past time is reported by the next run, <see cref="long.MaxValue"/> stands for never
    /// and disarms.
    /// </param>
    /// <exception cref="ArgumentException">The deadline belongs to another queue.</exception>
    public void Arm(Deadline deadline, long due)
    {
        ThrowIfForeign(deadline);
        if (due == long.MaxValue)
        {
            Disarm(deadline);
            return;
        }

        bool earlier;
        lock (_lock)
        {
            deadline.SetDue(due, _order++);
            if (deadline.Index == Deadline.NotQueued)
            {
                Place(deadline, _count++);
            }

            SiftUp(deadline);
            SiftDown(deadline);
            earlier = UpdateNextDue();
        }

        if (earlier)
        {
            _earlier?.Invoke(due);
        }
    }

    /// <summary>Takes a deadline out of the queue; nothing happens when it is not armed.</summary>
    /// <param name="deadline">A deadline of this queue.</param>
    /// <exception cref="ArgumentException">The deadline belongs to another queue.</exception>
    public void Disarm(Deadline deadline)
    {
        ThrowIfForeign(deadline);
        lock (_lock)
        {
            if (deadline.Index != Deadline.NotQueued)
            {
                Remove(deadline);
            }
        }
    }

    /// <summary>
    /// Reports every deadline due at or before a time, earliest first. Several threads may run the queue at once; each
    /// arming is reported by one of them.
    /// </summary>
    /// <remarks>
    /// At most as many reports are made as deadlines were armed at the beginning, so that handlers which arm for the past
    /// cannot hold the caller for ever; what they left behind shows in <see cref="NextDue"/>.
    /// </remarks>
    /// <param name="now">The time, in virtual nanoseconds.</param>
    public void RunDue(long now)
    {
        if (NextDue > now)
        {
            return;
        }

        for (int budget = int.MaxValue; budget > 0; budget--)
        {
            Deadline reached;
            lock (_lock)
            {
                budget = Math.Min(budget, _count);
                if (_count == 0 || _heap[0].Due > now)
                {
                    return;
                }

                reached = _heap[0];
                Remove(reached);
            }

            reached.Handler.DeadlineReached(reached.Timer, now);
        }
    }

    private void ThrowIfForeign(Deadline deadline)
    {
        ArgumentNullException.ThrowIfNull(deadline);
        if (deadline.Queue != this)
        {
            throw new ArgumentException("The deadline belongs to another queue.", nameof(deadline));
        }
    }

    private void Remove(Deadline deadline)
    {
        int index = deadline.Index;
        Deadline last = _heap[--_count];
        _heap[_count] = null!;
        deadline.Index = Deadline.NotQueued;
        if (last != deadline)
        {
            Place(last, index);
            SiftUp(last);
            SiftDown(last);
        }

        UpdateNextDue();
    }

    private bool UpdateNextDue()
    {
        long before = _nextDue;
        long due = _count == 0 ? long.MaxValue : _heap[0].Due;
        Volatile.Write(ref _nextDue, due);
        return due < before;
    }

    private void Place(Deadline deadline, int index)
    {
        _heap[index] = deadline;
        deadline.Index = index;
    }

    private void SiftUp(Deadline deadline)
    {
        int index = deadline.Index;
        while (index > 0)
        {
            int parent = (index - 1) / 2;
            if (!deadline.IsBefore(_heap[parent]))
            {
                break;
            }

            Place(_heap[parent], index);
            index = parent;
        }

        Place(deadline, index);
    }

    private void SiftDown(Deadline deadline)
    {
        int index = deadline.Index;
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && _heap[child + 1].IsBefore(_heap[child]))
            {
                child++;
            }

            if (!_heap[child].IsBefore(deadline))
            {
                break;
            }

            Place(_heap[child], index);
            index = child;
        }

        Place(deadline, index);
    }
}
