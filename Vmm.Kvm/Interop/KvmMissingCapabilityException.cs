// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>A request that needs a capability which this host's KVM does not have.</summary>
/// <param name="operation">The request, by the kernel's name.</param>
/// <param name="capability">The missing capability.</param>
internal sealed class KvmMissingCapabilityException(string operation, KvmCapability capability)
    : VmmException(operation, VmmError.ENOTSUP, $"this host's KVM lacks {KvmThrow.KernelName(capability)}")
{
    /// <summary>The missing capability.</summary>
    public KvmCapability Capability { get; } = capability;
}
