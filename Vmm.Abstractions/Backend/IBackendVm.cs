// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The hypervisor's part of a VM (the cookie of <c>vminit</c>). Disposing it (<c>vmcleanup</c>) frees it; its vCPUs are
/// disposed first.
/// </summary>
[VmmKernelSymbol("vmi_cleanup_func_t")]
[VmmKernelSymbol("vmm_ops.vmcleanup")]
public interface IBackendVm : IDisposable
{
    /// <summary>
    /// Who has the interrupt controllers. With any mode but userspace a vCPU's local APIC comes and goes with it.
    /// </summary>
    [VmmKernelSymbol("vmi_vlapic_init")]
    [VmmKernelSymbol("vmm_ops.vlapic_init")]
    InterruptControllerMode InterruptControllerMode { get; }

    /// <summary>Creates a vCPU, in the state after a reset.</summary>
    /// <param name="id">Its number, below the maximum given at creation.</param>
    /// <returns>The vCPU, owned by the caller.</returns>
    /// <exception cref="VmmException">EEXIST: the number is taken; EINVAL: it is out of range.</exception>
    IBackendVcpu CreateVcpu(VcpuId id);

    /// <summary>Puts memory at a guest-physical range. No vCPU runs meanwhile.</summary>
    /// <param name="placement">What and where.</param>
    /// <returns>The placement; disposing it takes the memory away, while no vCPU runs.</returns>
    /// <exception cref="VmmException">EEXIST: memory is there already; ENOSPC: no more slots.</exception>
    IDisposable PlaceMemory(in MemoryPlacement placement);
}
