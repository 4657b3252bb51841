// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Debugging;

/// <summary>Why the vCPUs stand.</summary>
/// <param name="Kind">The reason.</param>
/// <param name="Vcpu">The vCPU that it happened on.</param>
/// <param name="Address">For a watchpoint its linear address.</param>
internal readonly record struct StopEvent(StopKind Kind, int Vcpu = 0, ulong Address = 0);

/// <summary>Reasons to stop.</summary>
internal enum StopKind
{
    /// <summary>None of its own: another vCPU stopped.</summary>
    None = 0,

    /// <summary>The debugger asked.</summary>
    Interrupt,

    /// <summary>A step was made.</summary>
    Step,

    /// <summary>A breakpoint in the code.</summary>
    SoftwareBreakpoint,

    /// <summary>A breakpoint of the processor.</summary>
    HardwareBreakpoint,

    /// <summary>A watchpoint on writes.</summary>
    Watchpoint,

    /// <summary>A watchpoint on reads and writes.</summary>
    AccessWatchpoint,

    /// <summary>The machine has ended.</summary>
    Ended,
}

/// <summary>What a vCPU shall do next.</summary>
internal enum VcpuAction
{
    /// <summary>Stay where it is.</summary>
    Stay = 0,

    /// <summary>Go on.</summary>
    Continue,

    /// <summary>Execute one instruction.</summary>
    Step,
}
