// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Abstractions.Msr;

/// <summary>A range of a filter.</summary>
/// <param name="Directions">The accesses that it decides.</param>
/// <param name="First">The first register.</param>
/// <param name="Count">How many registers it decides, 1 to <see cref="MsrFilter.LongestRange"/>.</param>
/// <param name="Allowed">A bit for each register, from the first byte's lowest on: set when the hypervisor may handle it.</param>
public readonly record struct MsrFilterRange(MsrDirections Directions, MsrIndex First, int Count, ImmutableArray<byte> Allowed)
{
    /// <summary>The last register.</summary>
    public MsrIndex Last => new(First.Value + (uint)Count - 1);

    /// <summary>Whether a register is in the range.</summary>
    /// <param name="index">The register.</param>
    /// <returns>Whether it is.</returns>
    public bool Contains(MsrIndex index) => index.Value >= First.Value && index.Value <= Last.Value;

    /// <summary>Whether the hypervisor may handle a register of the range.</summary>
    /// <param name="index">A register that the range contains.</param>
    /// <returns>Whether its bit is set.</returns>
    public bool Allows(MsrIndex index)
    {
        uint bit = index.Value - First.Value;
        return (Allowed[(int)(bit / 8)] >> (int)(bit % 8) & 1) != 0;
    }
}
