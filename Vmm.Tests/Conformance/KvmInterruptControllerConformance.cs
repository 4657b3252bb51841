// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>KVM keeps the contract with interrupt controllers of its own.</summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Split)]
[TestFixture(InterruptControllerMode.Kernel)]
public sealed class KvmInterruptControllerConformance(InterruptControllerMode mode) : ExecutionConformance
{
    protected override InterruptControllerMode Mode => mode;

    protected override IHypervisorBackend CreateBackend() => KvmRequirement.OpenBackend();
}
