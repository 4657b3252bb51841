// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>State by class over the scripted backend, whose chips keep what they are given.</summary>
[TestFixture(InterruptControllerMode.Userspace)]
[TestFixture(InterruptControllerMode.Split)]
[TestFixture(InterruptControllerMode.Kernel)]
public sealed class FakeDataConformance(InterruptControllerMode mode) : DataConformance
{
    protected override InterruptControllerMode Mode => mode;

    protected override IHypervisorBackend CreateBackend() => new FakeBackend { TscOffset = 0xffff_f000_0000_0000 };
}
