// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// What a backend can be asked to do for a vCPU: <c>vm_cap_type</c> with its numbers, and behind it the header's two
/// tunables.
/// </summary>
public enum VcpuCapability
{
    /// <summary>HLT exits.</summary>
    HaltExit = 0,

    /// <summary>Exit after each instruction.</summary>
    MonitorTrapExit = 1,

    /// <summary>PAUSE exits.</summary>
    PauseExit = 2,

    /// <summary>The guest may use INVPCID.</summary>
    EnableInvpcid = 3,

    /// <summary>INT3 exits.</summary>
    BreakpointExit = 4,

    /// <summary>Every exception exits and is then reflected to the guest.</summary>
    [VmmKernelSymbol("vcpu_trace_exceptions")]
    TraceExceptions = 0x100,

    /// <summary>WBINVD and INVD exit and do nothing.</summary>
    [VmmKernelSymbol("vcpu_trap_wbinvd")]
    TrapWbinvd = 0x101,
}
