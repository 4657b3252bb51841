// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Abstractions.Events;

namespace Vmm.Engine.Events;

/// <summary>
/// The events whose delivery an exit cut short, or that gave way to an exception, in the order in which they are to be delivered.
/// </summary>
internal struct ExitEvents
{
    private const int Capacity = 4;

    private Slots _slots;
    private int _count;

    /// <summary>Whether there is none.</summary>
    public readonly bool IsEmpty => _count == 0;

    /// <summary>The next one, or none.</summary>
    public readonly EventInformation First => _count > 0 ? _slots[0] : EventInformation.None;

    /// <summary>
    /// Puts an event before the others. Only a guest whose interrupts all fault while they are delivered has more than there is room for: it
    /// loses this one, as on a processor, which forgets an interrupt that faults.
    /// </summary>
    public void PutFirst(EventInformation information)
    {
        if (_count == Capacity)
        {
            return;
        }

        for (int i = _count; i > 0; i--)
        {
            _slots[i] = _slots[i - 1];
        }

        _slots[0] = information;
        _count++;
    }

    /// <summary>Takes the next one out; none where there is none.</summary>
    public EventInformation TakeFirst()
    {
        EventInformation first = First;
        if (_count > 0)
        {
            _count--;
            for (int i = 0; i < _count; i++)
            {
                _slots[i] = _slots[i + 1];
            }
        }

        return first;
    }

    /// <summary>Forgets all.</summary>
    public void Clear() => _count = 0;

    [InlineArray(Capacity)]
    private struct Slots
    {
        private EventInformation _first;
    }
}
