// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Text;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// Processors that are the same on every host of a vendor: the levels of the x86-64 psABI, with what an operating system
/// needs besides. Only the vendor is the host's, because the vendors' system calls differ.
/// </summary>
internal static class CpuLevels
{
    /// <summary>Narrow enough for every server; a host with narrower addresses is named by the check.</summary>
    private const uint PhysicalBits = 39;

    private static readonly ImmutableArray<string> s_added =
    [
        "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 x2apic hypervisor arat syscall nx lm",
        "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
        "xsave avx avx2 bmi1 bmi2 f16c fma abm movbe",
        "avx512f avx512bw avx512cd avx512dq avx512vl",
    ];

    // Family, model and stepping of a processor that has the level: Core 2, Nehalem, Haswell and Skylake servers; Zen and Zen 4.
    private static readonly ImmutableArray<uint> s_intelSignatures = [0x0006fb, 0x0106a5, 0x0306f2, 0x050654];
    private static readonly ImmutableArray<uint> s_amdSignatures = [0x800f12, 0x800f12, 0x830f10, 0xa10f11];

    /// <summary>The features of a level, 1 to 4, the lower ones' included.</summary>
    public static IEnumerable<string> FeaturesOf(int level) => s_added.Take(level).SelectMany(names => names.Split(' '));

    /// <summary>A level's processor.</summary>
    public static CpuDefinition Create(int level, CpuDefinition supported)
    {
        bool isAmd = supported.Vendor == CpuVendor.Amd;
        supported.TryGet(0, 0, out CpuidEntry vendor);
        uint signature = (isAmd ? s_amdSignatures : s_intelSignatures)[level - 1];
        const uint CacheLine = 8 << 8;
        List<CpuidEntry> entries =
        [
            vendor with { Function = 0, Index = 0, MatchIndex = false, Eax = 0xd },
            new(1, 0, false, signature, CacheLine, 0, 0),
            new(6, 0, false, 0, 0, 0, 0),
            new(7, 0, true, 0, 0, 0, 0),
            new(0xb, 0, true, 0, 0, 0, 0),
            new(0xd, 1, true, 0, 0, 0, 0),
            new(0x8000_0000, 0, false, 0x8000_0008, isAmd ? vendor.Ebx : 0, isAmd ? vendor.Ecx : 0, isAmd ? vendor.Edx : 0),
            new(0x8000_0001, 0, false, isAmd ? signature : 0, 0, 0, 0),

            // 512 KiB of level 2 in lines of 64 bytes, 8 ways; 8 MiB of level 3, 16 ways.
            new(0x8000_0006, 0, false, 0, 0, 0x0200_6040, isAmd ? 0x0040_8040u : 0),
            new(0x8000_0008, 0, false, PhysicalBits | 48 << 8, 0, 0, 0),
        ];
        if (!isAmd)
        {
            AddCaches(entries);
        }

        AddBrand(entries, $"x86-64-v{level} processor");
        entries.AddRange(supported.Entries.Where(entry => entry.Function >> 28 == 4));
        CpuDefinition definition = new([.. entries.OrderBy(entry => entry.Function)]);
        foreach (string name in FeaturesOf(level))
        {
            CpuFeatures.TryFind(name, out CpuFeature feature);
            definition.SetBit(feature, enabled: true);
        }

        return definition;
    }

    /// <summary>32 KiB for data and for instructions, 512 KiB, 8 MiB; lines of 64 bytes, 8 and 16 ways.</summary>
    private static void AddCaches(List<CpuidEntry> entries)
    {
        const uint EightWays = 7u << 22 | 63;
        entries.Add(new CpuidEntry(2, 0, false, 0x00ff_ff01, 0, 0, 0));
        entries.Add(new CpuidEntry(4, 0, true, 1 | 1 << 5 | 1 << 8, EightWays, 63, 0));
        entries.Add(new CpuidEntry(4, 1, true, 2 | 1 << 5 | 1 << 8, EightWays, 63, 0));
        entries.Add(new CpuidEntry(4, 2, true, 3 | 2 << 5 | 1 << 8, EightWays, 1023, 0));
        entries.Add(new CpuidEntry(4, 3, true, 3 | 3 << 5 | 1 << 8, 15u << 22 | 63, 8191, 0));
    }

    private static void AddBrand(List<CpuidEntry> entries, string text)
    {
        Span<byte> bytes = stackalloc byte[48];
        bytes.Clear();
        Encoding.ASCII.GetBytes(text, bytes);
        ReadOnlySpan<uint> words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(bytes);
        for (int leaf = 0; leaf < 3; leaf++)
        {
            ReadOnlySpan<uint> four = words.Slice(leaf * 4, 4);
            entries.Add(new CpuidEntry(0x8000_0002 + (uint)leaf, 0, false, four[0], four[1], four[2], four[3]));
        }
    }
}
