// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Tests.Emulation.Cpuid;

/// <summary>Processors for tests.</summary>
internal static class Machines
{
    /// <summary>Sizes and places of XSAVE components (Intel SDM volume 1, section 13.2).</summary>
    private static readonly (uint Component, uint Size, uint Offset, bool IsSupervisor)[] s_states =
    [
        (2, 256, 576, false), (3, 64, 960, false), (4, 64, 1024, false), (5, 64, 1088, false), (6, 512, 1152, false),
        (7, 1024, 1664, false), (8, 128, 0, true), (9, 8, 2688, false), (10, 8, 0, true), (11, 16, 0, true), (12, 24, 0, true),
        (13, 8, 0, true), (14, 48, 0, true), (15, 808, 0, true), (16, 8, 0, true), (17, 64, 2752, false), (18, 8192, 2816, false),
        (19, 128, 960, false), (62, 128, 11008, false),
    ];

    /// <summary>A processor with every feature that has a name.</summary>
    public static CpuidEntry[] Everything(string vendor)
    {
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(Encoding.ASCII.GetBytes(vendor));
        CpuDefinition definition = new(
        [
            new(0, 0, false, 0x24, words[0], words[2], words[1]),
            new(1, 0, false, 0x50657, 8 << 8, 0, 0),
            new(4, 0, true, 0x121, 0x01c0003f, 63, 0),
            new(0xb, 0, true, 0, 1, 0x100, 0),
            new(0xd, 0, true, 0x000e_02ff, 576, 11136, 0x4000_0000),
            new(0xd, 1, true, 0, 576, 0x1_fd00, 0),
            new(0x4000_0000, 0, false, 0x4000_0001, 0x4b4d564b, 0x564b4d56, 0x4d),
            new(0x8000_0000, 0, false, 0x8000_0022, words[0], words[2], words[1]),
            new(0x8000_0008, 0, false, 46 | 48 << 8, 0, 0, 0),
        ]);
        foreach ((uint component, uint size, uint offset, bool isSupervisor) in s_states)
        {
            definition.Put(new CpuidEntry(0xd, component, true, size, offset, isSupervisor ? 1u : 0, 0));
        }

        foreach (CpuFeature feature in CpuFeatures.All)
        {
            definition.SetBit(feature, enabled: true);
        }

        return [.. definition.Entries];
    }

    /// <summary>The processor that runs the test, by its own CPUID, or the test's end where there is none.</summary>
    public static CpuDefinition Native()
    {
        if (!X86Base.IsSupported)
        {
            Assert.Ignore("this processor is no x86 one");
        }

        List<CpuidEntry> entries = [];
        foreach ((uint function, uint index) in CpuFeatures.All.Select(feature => (feature.Function, feature.Index))
            .Concat([(0u, 0u), (0x8000_0000u, 0u), (0x8000_0002u, 0u), (0x8000_0003u, 0u), (0x8000_0004u, 0u)]).Distinct())
        {
            // Beyond its greatest leaf Intel's processor answers something else, and KVM's range is the outer hypervisor's.
            if (function >> 28 != 4 && function <= Greatest(function))
            {
                (int eax, int ebx, int ecx, int edx) = X86Base.CpuId((int)function, (int)index);
                entries.Add(new CpuidEntry(function, index, true, (uint)eax, (uint)ebx, (uint)ecx, (uint)edx));
            }
        }

        return new CpuDefinition([.. entries]);
    }

    private static uint Greatest(uint function) => (uint)X86Base.CpuId((int)(function & 0xf000_0000), 0).Eax;
}
