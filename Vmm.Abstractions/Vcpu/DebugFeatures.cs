// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>What a debugger can have of a vCPU.</summary>
[Flags]
public enum DebugFeatures
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>An exit after each instruction (<see cref="VcpuCapability.MonitorTrapExit"/>).</summary>
    SingleStep = 1 << 0,

    /// <summary>INT3 exits instead of raising #BP (<see cref="VcpuCapability.BreakpointExit"/>).</summary>
    SoftwareBreakpoints = 1 << 1,

    /// <summary>Breakpoints on execution that need no change of the code.</summary>
    HardwareBreakpoints = 1 << 2,

    /// <summary>Breakpoints on data.</summary>
    Watchpoints = 1 << 3,
}
