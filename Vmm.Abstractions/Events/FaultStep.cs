// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Events;

/// <summary>An event on the way to a triple fault; the delivery of one fails with the next.</summary>
/// <param name="Event">The event.</param>
/// <param name="Address">For a page fault the address that it was about; null otherwise, and where it is not known.</param>
/// <param name="WasAttempted">Whether its delivery was begun; an exception that became part of a double fault was not.</param>
public readonly record struct FaultStep(EventInformation Event, GuestLinearAddress? Address, bool WasAttempted)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        string name = Event.Type switch
        {
            EventType.HardwareInterrupt => $"interrupt 0x{Event.Vector:x}",
            EventType.Nmi => "NMI",
            EventType.SoftwareInterrupt => $"INT 0x{Event.Vector:x}",
            _ => ((ExceptionVector)Event.Vector).ToMnemonic(),
        };
        return $"{name}{(Event.HasErrorCode ? $"(0x{Event.ErrorCode:x})" : "")}{(Address is { } address ? $" at 0x{address.Value:x}" : "")}";
    }
}
