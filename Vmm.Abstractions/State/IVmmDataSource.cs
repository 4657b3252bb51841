// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.State;

/// <summary>Something whose state can be transferred in one class and version.</summary>
public interface IVmmDataSource
{
    /// <summary>The class and version.</summary>
    VmmDataVersionEntry Entry { get; }

    /// <summary>Gives the state.</summary>
    /// <param name="request">The request; its buffer is at least as long as a fixed length demands.</param>
    /// <returns>How the transfer ended.</returns>
    [VmmKernelSymbol("vmm_data_readf_t")]
    [VmmKernelSymbol("vmm_data_version_entry.vdve_readf")]
    VmmDataResult Read(VmmDataRequest request);

    /// <summary>Takes the state, after checking it.</summary>
    /// <param name="request">The request.</param>
    /// <returns>How the transfer ended.</returns>
    [VmmKernelSymbol("vmm_data_writef_t")]
    [VmmKernelSymbol("vmm_data_version_entry.vdve_writef")]
    VmmDataResult Write(VmmDataRequest request);
}
