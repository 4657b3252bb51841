// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using Vmm.Tests.Support;

namespace Vmm.Tests.Architecture;

/// <summary>The public surface of every library is approved text: a change in it is a topic of review.</summary>
internal sealed class PublicSurfaceTests
{
    [TestCase("Vmm.Abstractions")]
    [TestCase("Vmm.Kvm")]
    [TestCase("Vmm.Emulation")]
    [TestCase("Vmm.Software")]
    [TestCase("Vmm.Engine")]
    [TestCase("Vmm.Machine")]
    public void The_public_surface_is_the_approved_one(string library) =>
        RepositoryFiles.ShouldBeCurrent(
            $"docs/api/{library}.txt", PublicSurface.Describe(Assembly.Load(library)));
}
