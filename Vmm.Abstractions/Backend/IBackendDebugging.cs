// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// What a hypervisor honours for a debugger beyond the capabilities. An optional interface of <see cref="IBackendVcpu"/>, for the
/// vCPU's owner. Without it, the capabilities that the vCPU has are honoured in every mode of the guest, and there are no hardware
/// breakpoints.
/// </summary>
public interface IBackendDebugging
{
    /// <summary>What works while the guest executes kernel mode.</summary>
    DebugFeatures DebugFeatures { get; }

    /// <summary>What works while the guest executes user mode.</summary>
    DebugFeatures UserModeDebugFeatures { get; }

    /// <summary>Replaces the hardware breakpoints.</summary>
    /// <param name="breakpoints">Breakpoints that were checked, as many as a processor has at most.</param>
    /// <exception cref="VmmException">What the host refuses.</exception>
    void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints);
}
