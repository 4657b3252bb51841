// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>Answers RDMSR and WRMSR for a range of registers.</summary>
/// <remarks>
/// Called on the vCPU's thread, which owns the vCPU, possibly on several vCPUs at once, with no lock held. Must not throw. Cannot run the vCPU
/// nor freeze, change or destroy the VM (<see cref="InvalidOperationException"/>): that is for the thread that runs the vCPU, behind the run.
/// </remarks>
public interface IMsrHandler
{
    /// <summary>Reads a register.</summary>
    /// <param name="vcpu">The vCPU that executes RDMSR.</param>
    /// <param name="index">The register.</param>
    /// <param name="value">The value; used only when handled.</param>
    /// <returns>How the access ended.</returns>
    MsrOutcome Read(Vcpu.IVirtualCpu vcpu, MsrIndex index, out ulong value);

    /// <summary>Writes a register.</summary>
    /// <param name="vcpu">The vCPU that executes WRMSR.</param>
    /// <param name="index">The register.</param>
    /// <param name="value">The value.</param>
    /// <returns>How the access ended.</returns>
    MsrOutcome Write(Vcpu.IVirtualCpu vcpu, MsrIndex index, ulong value);
}
