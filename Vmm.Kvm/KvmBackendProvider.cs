// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Kvm;

/// <summary>Opens <c>/dev/kvm</c>.</summary>
/// <param name="options">How; the defaults when null.</param>
public sealed class KvmBackendProvider(KvmBackendOptions? options = null) : IHypervisorBackendProvider
{
    /// <inheritdoc/>
    public IHypervisorBackend Open() => KvmBackend.Open(options);
}
