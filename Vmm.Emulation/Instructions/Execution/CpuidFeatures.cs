// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What a vCPU's CPUID entries mean for the executor (volume 2, CPUID).</summary>
public static class CpuidFeatures
{
    /// <summary>The executor's features by their names in the table of all features, which knows their bits.</summary>
    private static readonly (CpuFeatures Feature, CpuFeature Bit)[] s_bits =
    [
        (CpuFeatures.Popcnt, Named("popcnt")),
        (CpuFeatures.Lzcnt, Named("abm")),
        (CpuFeatures.Bmi1, Named("bmi1")),
        (CpuFeatures.Bmi2, Named("bmi2")),
        (CpuFeatures.Adx, Named("adx")),
        (CpuFeatures.Movbe, Named("movbe")),
        (CpuFeatures.Sse42, Named("sse4_2")),
        (CpuFeatures.Cmpxchg16b, Named("cx16")),
        (CpuFeatures.Rdtscp, Named("rdtscp")),
        (CpuFeatures.Rdpid, Named("rdpid")),
        (CpuFeatures.Rdrand, Named("rdrand")),
        (CpuFeatures.Rdseed, Named("rdseed")),
        (CpuFeatures.FsGsBase, Named("fsgsbase")),
        (CpuFeatures.Smap, Named("smap")),
        (CpuFeatures.Smep, Named("smep")),
        (CpuFeatures.Invpcid, Named("invpcid")),
        (CpuFeatures.Pcid, Named("pcid")),
        (CpuFeatures.Xsave, Named("xsave")),
        (CpuFeatures.Xsaveopt, Named("xsaveopt")),
        (CpuFeatures.Xsavec, Named("xsavec")),
        (CpuFeatures.Xgetbv1, Named("xgetbv1")),
        (CpuFeatures.Xsaves, Named("xsaves")),
        (CpuFeatures.Avx, Named("avx")),
        (CpuFeatures.Avx2, Named("avx2")),
        (CpuFeatures.Pku, Named("pku")),
        (CpuFeatures.Umip, Named("umip")),
        (CpuFeatures.La57, Named("la57")),
        (CpuFeatures.Clflushopt, Named("clflushopt")),
        (CpuFeatures.Clwb, Named("clwb")),
        (CpuFeatures.Monitor, Named("monitor")),
        (CpuFeatures.Avx512, Named("avx512f")),
        (CpuFeatures.NoExecute, Named("nx")),
        (CpuFeatures.LongMode, Named("lm")),
        (CpuFeatures.Syscall, Named("syscall")),
        (CpuFeatures.Sysenter, Named("sep")),
        (CpuFeatures.MisalignedSse, Named("misalignsse")),
        (CpuFeatures.Sse3, Named("pni")),
        (CpuFeatures.Ssse3, Named("ssse3")),
        (CpuFeatures.Sse41, Named("sse4_1")),
        (CpuFeatures.Pclmulqdq, Named("pclmulqdq")),
        (CpuFeatures.Aes, Named("aes")),
        (CpuFeatures.Sha, Named("sha_ni")),
        (CpuFeatures.Fma, Named("fma")),
        (CpuFeatures.F16c, Named("f16c")),
        (CpuFeatures.GigabytePages, Named("pdpe1gb")),
    ];

    /// <summary>The features that entries promise.</summary>
    /// <param name="entries">The vCPU's entries.</param>
    /// <returns>The features.</returns>
    public static CpuFeatures Read(ReadOnlySpan<CpuidEntry> entries)
    {
        CpuFeatures features = CpuFeatures.None;
        foreach ((CpuFeatures feature, CpuFeature bit) in s_bits)
        {
            CpuidResult leaf = Find(entries, bit.Function, bit.Index);
            uint value = bit.Register switch
            {
                CpuidRegister.Eax => leaf.Eax,
                CpuidRegister.Ebx => leaf.Ebx,
                CpuidRegister.Ecx => leaf.Ecx,
                _ => leaf.Edx,
            };
            features |= (value >> bit.Bit & 1) != 0 ? feature : CpuFeatures.None;
        }

        return features;
    }

    /// <summary>Whose manual the processor follows where the two differ: what leaf 0 names.</summary>
    /// <param name="entries">The vCPU's entries.</param>
    /// <returns>The vendor.</returns>
    public static CpuVendor Vendor(ReadOnlySpan<CpuidEntry> entries)
    {
        CpuidResult leaf = Find(entries, 0, 0);
        return (leaf.Ebx, leaf.Edx, leaf.Ecx) switch
        {
            (0x756E_6547, 0x4965_6E69, 0x6C65_746E) => CpuVendor.Intel,
            (0x6874_7541, 0x6974_6E65, 0x444D_4163) or (0x6F67_7948, 0x6E65_476E, 0x656E_6975) => CpuVendor.Amd,
            _ => CpuVendor.Unknown,
        };
    }

    /// <summary>MAXPHYADDR: what leaf 80000008H says, else 36 (volume 3, enumeration of paging features by CPUID).</summary>
    /// <param name="entries">The vCPU's entries.</param>
    /// <returns>32 to 52.</returns>
    public static int PhysicalAddressBits(ReadOnlySpan<CpuidEntry> entries)
    {
        int bits = (byte)Find(entries, 0x80000008, 0).Eax;
        return bits == 0 ? 36 : Math.Clamp(bits, 32, 52);
    }

    /// <summary>The values of a leaf; zeros when there is no such entry.</summary>
    /// <param name="entries">The vCPU's entries.</param>
    /// <param name="function">EAX.</param>
    /// <param name="index">ECX; ignored by entries that are the same for all.</param>
    /// <returns>The values.</returns>
    public static CpuidResult Find(ReadOnlySpan<CpuidEntry> entries, uint function, uint index)
    {
        foreach (ref readonly CpuidEntry entry in entries)
        {
            if (entry.Function == function && (!entry.MatchIndex || entry.Index == index))
            {
                return new(entry.Eax, entry.Ebx, entry.Ecx, entry.Edx);
            }
        }

        return default;
    }

    private static CpuFeature Named(string name) => Cpuid.CpuFeatures.All[Cpuid.CpuFeatures.NumberOf(name)];
}
