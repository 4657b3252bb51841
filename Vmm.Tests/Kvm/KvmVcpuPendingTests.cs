// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Kvm;
using Vmm.Tests.Conformance;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>KVM's pending exits, with and without registers in the run page.</summary>
[TestFixture(true)]
[TestFixture(false)]
[Category("Kvm")]
internal sealed class KvmVcpuPendingTests(bool syncedRegisters) : VcpuPendingConformance
{
    protected override BackendGuest CreateGuest() =>
        new(KvmRequirement.OpenBackend(new KvmBackendOptions { UseSyncedRegisters = syncedRegisters }));
}
