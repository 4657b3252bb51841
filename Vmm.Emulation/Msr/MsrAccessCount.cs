// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>How often guests touched a register, and who answered.</summary>
/// <param name="Index">The register.</param>
/// <param name="Answer">Who answered.</param>
/// <param name="Reads">The reads that were answered so.</param>
/// <param name="Writes">The writes that were answered so.</param>
public readonly record struct MsrAccessCount(MsrIndex Index, MsrAnswer Answer, long Reads, long Writes)
{
    /// <summary>The register's name, or its index where it has none.</summary>
    public string Name => MsrRegistry.NameOf(Index);
}
