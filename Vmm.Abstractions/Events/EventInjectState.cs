// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>How far the injection of events has come on the way into a guest (<c>event_inject_state</c>).</summary>
[Flags]
[VmmKernelSymbol("event_inject_state")]
public enum EventInjectState
{
    /// <summary>An event can be injected.</summary>
    [VmmKernelSymbol("EIS_CAN_INJECT")]
    CanInject = 0,

    /// <summary>An earlier injection still waits in the hardware.</summary>
    [VmmKernelSymbol("EIS_EV_EXISTING")]
    EventExisting = 1,

    /// <summary>An event was injected on this entry.</summary>
    [VmmKernelSymbol("EIS_EV_INJECTED")]
    EventInjected = 2,

    /// <summary>The guest cannot be interrupted now.</summary>
    [VmmKernelSymbol("EIS_GI_BLOCK")]
    GuestBlocked = 3,

    /// <summary>A flag: leave the guest at once after the entry, because more is to be injected.</summary>
    [VmmKernelSymbol("EIS_REQ_EXIT")]
    RequestExit = 1 << 15,
}
