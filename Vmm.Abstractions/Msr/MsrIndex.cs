// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Msr;

/// <summary>The index of a model-specific register, as ECX carries it.</summary>
/// <param name="Value">The index.</param>
public readonly record struct MsrIndex(uint Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"msr:0x{Value:x}";
}
