// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.State;

/// <summary>
/// Transfers the state of a VM's devices and processors, class by class. An optional interface of a VM. Classes belong to the VM as a
/// whole, which is frozen for them, or to one vCPU: there is no number that stands for the VM. What is asked for wrongly, and state that
/// cannot be, is a value; what the host refuses throws.
/// </summary>
/// <remarks>
/// The order of the checks: unknown flags, the vCPU's number, a class that does not exist in this version and belong to what is asked, a
/// buffer that is too short for a class of fixed length, and then what the class itself looks at. A longer buffer is fine.
/// </remarks>
public interface IVmmData
{
    /// <summary>Gives state of the VM.</summary>
    /// <param name="freeze">Keeps every vCPU out of the guest.</param>
    /// <param name="request">The request.</param>
    /// <returns>How it ended: EINVAL; ENOSPC with the length needed, nothing written.</returns>
    /// <exception cref="InvalidOperationException">The token does not freeze this VM's vCPUs.</exception>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    /// <exception cref="VmmException">What the host refuses.</exception>
    [VmmKernelSymbol("vmm_data_read")]
    VmmDataResult ReadData(IVcpuFreeze freeze, VmmDataRequest request);

    /// <summary>Gives state of one vCPU, which is taken for the moment.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="request">The request.</param>
    /// <returns>How it ended: EINVAL; ENOSPC with the length needed, nothing written.</returns>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    /// <exception cref="VmmException">What the host refuses.</exception>
    [VmmKernelSymbol("vmm_data_read")]
    VmmDataResult ReadData(VcpuId vcpu, VmmDataRequest request);

    /// <summary>Takes state of the VM.</summary>
    /// <param name="freeze">Keeps every vCPU out of the guest.</param>
    /// <param name="request">The request.</param>
    /// <returns>
    /// How it ended: EINVAL, also for state that cannot be; ENOSPC with the length needed; EPERM for what can only be read; ENOTSUP for what
    /// the hypervisor does not let anybody change.
    /// </returns>
    /// <exception cref="InvalidOperationException">The token does not freeze this VM's vCPUs.</exception>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    /// <exception cref="VmmException">What the host refuses.</exception>
    [VmmKernelSymbol("vmm_data_write")]
    VmmDataResult WriteData(IVcpuFreeze freeze, VmmDataRequest request);

    /// <summary>Takes state of one vCPU, which is taken for the moment.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="request">The request.</param>
    /// <returns>How it ended, as for state of the VM.</returns>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    /// <exception cref="VmmException">What the host refuses.</exception>
    [VmmKernelSymbol("vmm_data_write")]
    VmmDataResult WriteData(VcpuId vcpu, VmmDataRequest request);
}
