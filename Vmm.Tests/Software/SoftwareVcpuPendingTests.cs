// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Software;
using Vmm.Tests.Conformance;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>The pending exits of the vCPU in software.</summary>
internal sealed class SoftwareVcpuPendingTests : VcpuPendingConformance
{
    protected override BackendGuest CreateGuest() => new(new SoftwareBackend());
}
