// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Software;

/// <summary>
/// The processor that the executor is: what CPUID can promise of it. What is not in here does not exist in a guest, and raises the
/// exception that it raises on a processor without it.
/// </summary>
public static class SoftwareProcessor
{
    /// <summary>The features, by the names of the table of all features.</summary>
    public const string FeatureNames =
        "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 "
        + "pni pclmulqdq ssse3 fma cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave avx f16c rdrand hypervisor "
        + "fsgsbase tsc_adjust bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap clflushopt clwb sha_ni umip rdpid fsrm arch_capabilities serialize "
        + "xsaveopt xsavec xgetbv1 xsaves "
        + "syscall nx pdpe1gb rdtscp lm lahf_lm abm 3dnowprefetch nonstop_tsc arat";

    private const uint PhysicalBits = 46;
    private const uint Signature = 0x0106a5;

    /// <summary>x87, SSE and the header of the XSAVE area, and the upper halves of the YMM registers behind them.</summary>
    private const uint LegacyArea = 576;
    private const uint UpperHalves = 256;

    /// <summary>The entries of CPUID, ordered; identifiers and topology of a vCPU come later.</summary>
    public static ImmutableArray<CpuidEntry> Entries { get; } = Create();

    private static ImmutableArray<CpuidEntry> Create()
    {
        const uint CacheLine = 8 << 8;
        const uint EightWays = 7u << 22 | 63;
        List<CpuidEntry> entries =
        [
            // "GenuineIntel": the executor's system calls and segment rules are Intel's.
            new(0, 0, false, 0x16, 0x756e_6547, 0x6c65_746e, 0x4965_6e69),
            new(1, 0, false, Signature, CacheLine, 0, 0),
            new(2, 0, false, 0x00ff_ff01, 0, 0, 0),

            // 32 KiB for data and for instructions, 512 KiB, 8 MiB; lines of 64 bytes, 8 and 16 ways.
            new(4, 0, true, 1 | 1 << 5 | 1 << 8, EightWays, 63, 0),
            new(4, 1, true, 2 | 1 << 5 | 1 << 8, EightWays, 63, 0),
            new(4, 2, true, 3 | 2 << 5 | 1 << 8, EightWays, 1023, 0),
            new(4, 3, true, 3 | 3 << 5 | 1 << 8, 15u << 22 | 63, 8191, 0),
            new(6, 0, false, 0, 0, 0, 0),
            new(7, 0, true, 0, 0, 0, 0),
            new(0xb, 0, true, 0, 0, 0, 0),
            new(0xd, 0, true, 7, LegacyArea + UpperHalves, LegacyArea + UpperHalves, 0),
            new(0xd, 1, true, 0, LegacyArea + UpperHalves, 0, 0),
            new(0xd, 2, true, UpperHalves, LegacyArea, 0, 0),

            // The TSC counts nanoseconds: 40 times a crystal of 25 MHz.
            new(0x15, 0, false, 1, 40, 25_000_000, 0),
            new(0x16, 0, false, 1000, 1000, 25, 0),

            // "Vmm engine", as the twelve letters of EBX, ECX and EDX.
            new(0x4000_0000, 0, false, 0x4000_0000, 0x206d_6d56, 0x6967_6e65, 0x0000_656e),
            new(0x8000_0000, 0, false, 0x8000_0008, 0, 0, 0),
            new(0x8000_0001, 0, false, 0, 0, 0, 0),
            new(0x8000_0006, 0, false, 0, 0, 0x0200_6040, 0),

            // The invariant TSC.
            new(0x8000_0007, 0, false, 0, 0, 0, 0),
            new(0x8000_0008, 0, false, PhysicalBits | 48 << 8, 0, 0, 0),
        ];
        AddBrand(entries, "Vmm software processor");
        CpuDefinition definition = new(CollectionsMarshal.AsSpan(entries));
        foreach (string name in FeatureNames.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Vmm.Emulation.Cpuid.CpuFeatures.TryFind(name, out CpuFeature feature))
            {
                throw new InvalidOperationException($"'{name}' is no feature");
            }

            CpuidEntry entry = definition.TryGet(feature.Function, feature.Index, out CpuidEntry found) ? found : default;
            definition.Put(feature.Register switch
            {
                CpuidRegister.Eax => entry with { Eax = entry.Eax | 1u << feature.Bit },
                CpuidRegister.Ebx => entry with { Ebx = entry.Ebx | 1u << feature.Bit },
                CpuidRegister.Ecx => entry with { Ecx = entry.Ecx | 1u << feature.Bit },
                _ => entry with { Edx = entry.Edx | 1u << feature.Bit },
            });
        }

        return definition.Entries;
    }

    private static void AddBrand(List<CpuidEntry> entries, string text)
    {
        Span<byte> bytes = stackalloc byte[48];
        bytes.Clear();
        Encoding.ASCII.GetBytes(text, bytes);
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(bytes);
        for (int leaf = 0; leaf < 3; leaf++)
        {
            ReadOnlySpan<uint> four = words.Slice(leaf * 4, 4);
            entries.Add(new CpuidEntry(0x8000_0002 + (uint)leaf, 0, false, four[0], four[1], four[2], four[3]));
        }
    }
}
