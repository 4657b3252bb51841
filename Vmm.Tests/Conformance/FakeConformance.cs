// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>The scripted backend keeps the contract, so that tests over it say something about the engine.</summary>
public sealed class FakeConformance : StateConformance
{
    protected override IHypervisorBackend CreateBackend() => new FakeBackend();
}
