// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The figures that a hypervisor keeps itself. An optional interface of a backend's VM and of its vCPUs; any thread, also while a vCPU
/// runs.
/// </summary>
public interface IBackendStatistics
{
    /// <summary>Reads them.</summary>
    /// <returns>The figures in the hypervisor's order; none when the object is gone or the host does not keep any.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    IReadOnlyList<BackendStatistic> ReadStatistics();
}
