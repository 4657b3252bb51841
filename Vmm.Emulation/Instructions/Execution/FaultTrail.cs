// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Events;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The events of the last delivery that failed, each the reason of the next.</summary>
public struct FaultTrail
{
    /// <summary>How many events are kept: an event, a contributory fault, two page faults, the double fault and the fault that ends it.</summary>
    public const int Capacity = 6;

    private Events _events;

    /// <summary>How many there are.</summary>
    public int Count { readonly get; private set; }

    /// <summary>An event, the oldest first.</summary>
    /// <param name="index">0 to <see cref="Count"/> minus 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such event.</exception>
    public readonly FaultEvent this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            return _events[index];
        }
    }

    /// <summary>The events in the contract's terms.</summary>
    /// <returns>The events, the oldest first.</returns>
    public readonly ImmutableArray<FaultStep> ToSteps()
    {
        ImmutableArray<FaultStep>.Builder steps = ImmutableArray.CreateBuilder<FaultStep>(Count);
        for (int i = 0; i < Count; i++)
        {
            steps.Add(ToStep(_events[i]));
        }

        return steps.MoveToImmutable();
    }

    private static FaultStep ToStep(in FaultEvent one)
    {
        EventType type = one.Kind switch
        {
            InterruptKind.External => one.Vector == (byte)ExceptionVector.Nmi ? EventType.Nmi : EventType.HardwareInterrupt,
            InterruptKind.SoftwareInterrupt => EventType.SoftwareInterrupt,
            InterruptKind.SoftwareException => EventType.SoftwareException,
            InterruptKind.PrivilegedException => EventType.PrivilegedSoftwareException,
            _ => EventType.HardwareException,
        };
        bool isPageFault = type == EventType.HardwareException && one.Vector == (byte)ExceptionVector.PageFault;
        return new FaultStep(
            EventInformation.Create(type, one.Vector, one.HasErrorCode ? one.ErrorCode : null),
            isPageFault ? new GuestLinearAddress(one.FaultAddress) : null,
            one.WasAttempted);
    }

    /// <summary>Adds what came of the last event; without effect when the trail is full.</summary>
    internal void Add(in FaultEvent next)
    {
        if (Count < Capacity)
        {
            _events[Count++] = next;
        }
    }

    /// <summary>The delivery of the last event was begun.</summary>
    internal void Attempt()
    {
        if (Count > 0)
        {
            _events[Count - 1] = _events[Count - 1] with { WasAttempted = true };
        }
    }

    [InlineArray(Capacity)]
    private struct Events
    {
        private FaultEvent _first;
    }
}
