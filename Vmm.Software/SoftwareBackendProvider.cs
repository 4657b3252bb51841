// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Software;

/// <summary>Opens the software backend, which every host has.</summary>
/// <param name="options">How; the defaults when null.</param>
public sealed class SoftwareBackendProvider(SoftwareBackendOptions? options = null) : IHypervisorBackendProvider
{
    /// <inheritdoc/>
    public IHypervisorBackend Open() => new SoftwareBackend(options);
}
