// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// A debugger's side of a vCPU, beside the capabilities <see cref="VcpuCapability.MonitorTrapExit"/> and
/// <see cref="VcpuCapability.BreakpointExit"/>. An optional interface of a vCPU; its members need ownership.
/// </summary>
/// <remarks>
/// The guest's own debug registers are not touched while the hypervisor keeps the debugger's apart. A breakpoint is an exit
/// <see cref="ExitCode.Breakpoint"/> before the instruction, a watchpoint one behind it, with the breakpoints' numbers in
/// <see cref="DebugExit.Dr6"/>; a step is <see cref="ExitCode.MonitorTrap"/>, after which the vCPU is stopped for a debugger.
/// </remarks>
public interface IVcpuDebugging
{
    /// <summary>The most breakpoints that <see cref="SetHardwareBreakpoints"/> takes.</summary>
    const int MaximumHardwareBreakpoints = 4;

    /// <summary>What is honoured while the guest executes kernel mode.</summary>
    DebugFeatures DebugFeatures { get; }

    /// <summary>What is honoured while the guest executes user mode.</summary>
    DebugFeatures UserModeDebugFeatures { get; }

    /// <summary>Replaces the hardware breakpoints; none when empty. A reinitialization removes them.</summary>
    /// <param name="breakpoints">At most <see cref="MaximumHardwareBreakpoints"/>; their order gives their numbers.</param>
    /// <exception cref="VmmException">
    /// EINVAL: misaligned, or of no length that a processor watches; ENOSPC: too many; ENOENT: the hypervisor does not honour the kind,
    /// which the message names.
    /// </exception>
    void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints);
}
