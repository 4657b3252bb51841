// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>What KVM_SET_GUEST_DEBUG turned out to do on this host.</summary>
/// <param name="Kernel">While the guest executes kernel mode.</param>
/// <param name="User">While it executes user mode.</param>
internal readonly record struct KvmDebugSupport(DebugFeatures Kernel, DebugFeatures User);
