// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>KVM keeps the contract.</summary>
[Category("Kvm")]
public sealed class KvmConformance : UserspaceConformance
{
    protected override IHypervisorBackend CreateBackend() => KvmRequirement.OpenBackend();
}
