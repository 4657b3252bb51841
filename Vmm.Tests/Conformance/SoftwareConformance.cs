// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Software;

namespace Vmm.Tests.Conformance;

/// <summary>The processor in software keeps the contract.</summary>
public sealed class SoftwareConformance : UserspaceConformance
{
    protected override IHypervisorBackend CreateBackend() => new SoftwareBackend();
}
