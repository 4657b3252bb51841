// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Abstractions.Backend;

/// <summary>The event state of a vCPU inside the hypervisor.</summary>
/// <param name="Injected">An event whose delivery has begun and not ended, or none.</param>
/// <param name="Pending">An exception that is due and not yet begun, or none.</param>
/// <param name="NmiPending">Whether an NMI waits.</param>
/// <param name="NmiBlocked">Whether NMIs are blocked until the next IRET.</param>
/// <param name="InterruptShadow">Whether the instruction after STI or MOV SS is still to come.</param>
public readonly record struct BackendEvents(
    EventInformation Injected,
    EventInformation Pending,
    bool NmiPending,
    bool NmiBlocked,
    bool InterruptShadow);
