// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics.X86;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Execution;
using CpuFeatures = Vmm.Emulation.Instructions.Execution.CpuFeatures;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// What the host's processor executes. A hypervisor that lets it execute guests can hide a feature in CPUID, but most instructions
/// then work all the same; the second chance behaves as such a host does.
/// </summary>
internal static class HostProcessor
{
    private static readonly (uint Function, uint Index)[] s_leaves = [(1, 0), (7, 0), (0xd, 1), (0x80000001, 0)];

    /// <summary>The features of the processor this runs on.</summary>
    public static CpuFeatures Features { get; } = CpuidFeatures.Read(
        [.. s_leaves.Select(leaf => Entry(leaf.Function, leaf.Index))]);

    /// <summary>Whose processor this runs on.</summary>
    public static CpuVendor Vendor { get; } = CpuidFeatures.Vendor([Entry(0, 0)]);

    private static CpuidEntry Entry(uint function, uint index)
    {
        (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)function, (int)index);
        return new CpuidEntry(function, index, MatchIndex: true, (uint)eax, (uint)ebx, (uint)ecx, (uint)edx);
    }
}
