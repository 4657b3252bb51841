// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Abstractions.Msr;

/// <summary>
/// A policy as ranges with a bit for each register, in the form of KVM_X86_SET_MSR_FILTER. The first range that contains a
/// register and decides the kind of access counts.
/// </summary>
/// <param name="IsDefaultAllow">Whether the hypervisor may handle what no range decides.</param>
/// <param name="Ranges">At most <see cref="MostRanges"/>.</param>
/// <param name="Remarks">What of the policy cannot be had, in words.</param>
public sealed record MsrFilter(bool IsDefaultAllow, ImmutableArray<MsrFilterRange> Ranges, ImmutableArray<string> Remarks)
{
    /// <summary>The most ranges (KVM_MSR_FILTER_MAX_RANGES).</summary>
    public const int MostRanges = 16;

    /// <summary>The most registers in a range: eight for each byte of the longest bitmap, 0x600.</summary>
    public const int LongestRange = 0x600 * 8;

    private const uint FirstX2Apic = 0x800;
    private const uint LastX2Apic = 0x8ff;

    /// <summary>Whether there is nothing to filter.</summary>
    public bool IsEmpty => IsDefaultAllow && Ranges.IsEmpty;

    /// <summary>Whether the hypervisor may handle an access, as it will decide it.</summary>
    /// <param name="index">The register.</param>
    /// <param name="isWrite">Whether it is a write.</param>
    /// <returns>Whether it may. The registers of the local APIC in x2APIC mode are always its own.</returns>
    public bool Allows(MsrIndex index, bool isWrite)
    {
        if (index.Value is >= FirstX2Apic and <= LastX2Apic)
        {
            return true;
        }

        MsrDirections direction = isWrite ? MsrDirections.Write : MsrDirections.Read;
        foreach (MsrFilterRange range in Ranges)
        {
            if ((range.Directions & direction) != 0 && range.Contains(index))
            {
                return range.Allows(index);
            }
        }

        return IsDefaultAllow;
    }
}
