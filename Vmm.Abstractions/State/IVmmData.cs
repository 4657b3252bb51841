// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.State;

/// <summary>
/// Transfers the state of a VM's devices and processors, class by class. An optional interface of a VM; every vCPU is
/// frozen, or for a class of one vCPU that one owned.
/// </summary>
public interface IVmmData
{
    /// <summary>Gives state.</summary>
    /// <param name="vcpu">The vCPU of a class that belongs to one, else null.</param>
    /// <param name="request">The request.</param>
    /// <returns>
    /// How it ended: EINVAL for an unknown class or version; ENOSPC with the needed length for a short buffer.
    /// </returns>
    [VmmKernelSymbol("vmm_data_read")]
    VmmDataResult Read(VcpuId? vcpu, VmmDataRequest request);

    /// <summary>Takes state.</summary>
    /// <param name="vcpu">The vCPU of a class that belongs to one, else null.</param>
    /// <param name="request">The request.</param>
    /// <returns>How it ended; as for reading, and EINVAL for state that cannot be.</returns>
    [VmmKernelSymbol("vmm_data_write")]
    VmmDataResult Write(VcpuId? vcpu, VmmDataRequest request);
}
