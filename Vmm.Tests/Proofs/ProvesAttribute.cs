// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Proofs;

/// <summary>
/// Says that a test fails when the body of a function of bhyve's <c>vmm_kernel.h</c> is emptied. <see cref="EmptiedBodyTests"/>
/// tries it; <c>docs/vmm-kernel-map.md</c> shows it.
/// </summary>
/// <param name="symbols">The functions' names in the header.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ProvesAttribute(params string[] symbols) : Attribute
{
    /// <summary>The functions' names in the header.</summary>
    public IReadOnlyList<string> Symbols { get; } = symbols;
}
