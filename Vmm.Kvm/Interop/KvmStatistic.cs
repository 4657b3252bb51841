// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>The description of one binary statistic.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">The kernel's description.</param>
/// <param name="FileOffset">Where its numbers are in the descriptor's file.</param>
internal sealed record KvmStatistic(string Name, KvmStatsDesc Description, long FileOffset)
{
    /// <summary>How many 64-bit numbers it has.</summary>
    public int Count => Description.Size;

    /// <summary>What kind of number it is.</summary>
    public KvmStatsType Type => (KvmStatsType)(Description.Flags & KvmConstants.StatsTypeMask);

    /// <summary>Its unit.</summary>
    public KvmStatsUnit Unit => (KvmStatsUnit)(Description.Flags & KvmConstants.StatsUnitMask);

    /// <summary>The base of its exponent.</summary>
    public KvmStatsBase Base => (KvmStatsBase)(Description.Flags & KvmConstants.StatsBaseMask);
}
