// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>Opens a hypervisor of the host.</summary>
public interface IHypervisorBackendProvider
{
    /// <summary>Opens the hypervisor and checks that it can be used.</summary>
    /// <returns>The backend, owned by the caller.</returns>
    /// <exception cref="VmmException">
    /// ENOENT or ENXIO: the host has none; EACCES: it is not permitted; the message says which and what to do.
    /// </exception>
    [VmmKernelSymbol("vmm_mod_load")]
    [VmmKernelSymbol("vmm_init_func_t")]
    [VmmKernelSymbol("vmm_ops.init")]
    IHypervisorBackend Open();
}
