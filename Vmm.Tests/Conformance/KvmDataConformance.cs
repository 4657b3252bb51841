// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>State by class on KVM, from the engine's chips and from KVM's.</summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Userspace)]
[TestFixture(InterruptControllerMode.Split)]
[TestFixture(InterruptControllerMode.Kernel)]
public sealed class KvmDataConformance(InterruptControllerMode mode) : DataConformance
{
    protected override InterruptControllerMode Mode => mode;

    protected override IHypervisorBackend CreateBackend() => KvmRequirement.OpenBackend();
}
