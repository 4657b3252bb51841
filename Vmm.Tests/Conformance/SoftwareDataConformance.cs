// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Software;

namespace Vmm.Tests.Conformance;

/// <summary>State by class on the processor in software.</summary>
public sealed class SoftwareDataConformance : DataConformance
{
    protected override IHypervisorBackend CreateBackend() => new SoftwareBackend();
}
