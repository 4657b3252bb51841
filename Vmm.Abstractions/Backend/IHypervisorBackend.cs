// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// A hypervisor (<c>struct vmm_ops</c>): what the engine needs from KVM, a software CPU or a scripted fake.
/// </summary>
/// <remarks>
/// All members may be called from any thread. Disposing the backend (<c>cleanup</c>) lets it go; VMs that still exist
/// keep what they need alive.
/// </remarks>
[VmmKernelSymbol("vmm_ops")]
[VmmKernelSymbol("vmm_cleanup_func_t")]
[VmmKernelSymbol("vmm_ops.cleanup")]
[VmmKernelSymbol("vmm_mod_unload")]
public interface IHypervisorBackend : IDisposable
{
    /// <summary>What kind of hypervisor it is.</summary>
    HypervisorDescription Description { get; }

    /// <summary>The CPUID entries that guests can be given.</summary>
    /// <returns>The entries, those of the host's processor and the hypervisor's own.</returns>
    ImmutableArray<CpuidEntry> GetSupportedCpuid();

    /// <summary>The MSRs that make up a vCPU's state.</summary>
    /// <returns>The registers, in no order.</returns>
    ImmutableArray<MsrIndex> GetSupportedMsrs();

    /// <summary>Allocates memory that can be placed into this backend's VMs; it is zero.</summary>
    /// <param name="length">Bytes, a positive multiple of 4096.</param>
    /// <param name="options">How.</param>
    /// <returns>The memory, owned by the caller.</returns>
    /// <exception cref="VmmException">ENOMEM, or what the host refuses of the options.</exception>
    GuestMemoryBlock AllocateMemory(ulong length, in GuestMemoryOptions options);

    /// <summary>Creates the hypervisor's part of a VM.</summary>
    /// <param name="options">How.</param>
    /// <returns>The VM, owned by the caller.</returns>
    /// <exception cref="VmmException">What the host refuses; ENOTSUP names a missing capability.</exception>
    [VmmKernelSymbol("vmi_init_func_t")]
    [VmmKernelSymbol("vmm_ops.vminit")]
    IBackendVm CreateVm(in BackendVmOptions options);
}
