// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What a vCPU's CPUID entries mean for the executor (volume 2, CPUID).</summary>
public static class CpuidFeatures
{
    private const int Eax = 0;
    private const int Ebx = 1;
    private const int Ecx = 2;
    private const int Edx = 3;

    private static readonly (CpuFeatures Feature, uint Function, uint Index, int Register, int Bit)[] s_bits =
    [
        (CpuFeatures.Popcnt, 1, 0, Ecx, 23),
        (CpuFeatures.Lzcnt, 0x80000001, 0, Ecx, 5),
        (CpuFeatures.Bmi1, 7, 0, Ebx, 3),
        (CpuFeatures.Bmi2, 7, 0, Ebx, 8),
        (CpuFeatures.Adx, 7, 0, Ebx, 19),
        (CpuFeatures.Movbe, 1, 0, Ecx, 22),
        (CpuFeatures.Sse42, 1, 0, Ecx, 20),
        (CpuFeatures.Cmpxchg16b, 1, 0, Ecx, 13),
        (CpuFeatures.Rdtscp, 0x80000001, 0, Edx, 27),
        (CpuFeatures.Rdpid, 7, 0, Ecx, 22),
        (CpuFeatures.Rdrand, 1, 0, Ecx, 30),
        (CpuFeatures.Rdseed, 7, 0, Ebx, 18),
        (CpuFeatures.FsGsBase, 7, 0, Ebx, 0),
        (CpuFeatures.Smap, 7, 0, Ebx, 20),
        (CpuFeatures.Smep, 7, 0, Ebx, 7),
        (CpuFeatures.Invpcid, 7, 0, Ebx, 10),
        (CpuFeatures.Pcid, 1, 0, Ecx, 17),
        (CpuFeatures.Xsave, 1, 0, Ecx, 26),
        (CpuFeatures.Xsaveopt, 0xD, 1, Eax, 0),
        (CpuFeatures.Xsavec, 0xD, 1, Eax, 1),
        (CpuFeatures.Xgetbv1, 0xD, 1, Eax, 2),
        (CpuFeatures.Xsaves, 0xD, 1, Eax, 3),
        (CpuFeatures.Avx, 1, 0, Ecx, 28),
        (CpuFeatures.Avx2, 7, 0, Ebx, 5),
        (CpuFeatures.Pku, 7, 0, Ecx, 3),
        (CpuFeatures.Umip, 7, 0, Ecx, 2),
        (CpuFeatures.La57, 7, 0, Ecx, 16),
        (CpuFeatures.Clflushopt, 7, 0, Ebx, 23),
        (CpuFeatures.Clwb, 7, 0, Ebx, 24),
        (CpuFeatures.Monitor, 1, 0, Ecx, 3),
        (CpuFeatures.Avx512, 7, 0, Ebx, 16),
        (CpuFeatures.NoExecute, 0x80000001, 0, Edx, 20),
        (CpuFeatures.LongMode, 0x80000001, 0, Edx, 29),
        (CpuFeatures.Syscall, 0x80000001, 0, Edx, 11),
        (CpuFeatures.Sysenter, 1, 0, Edx, 11),
    ];

    /// <summary>The features that entries promise.</summary>
    /// <param name="entries">The vCPU's entries.</param>
    /// <returns>The features.</returns>
    public static CpuFeatures Read(ReadOnlySpan<CpuidEntry> entries)
    {
        CpuFeatures features = CpuFeatures.None;
        foreach ((CpuFeatures feature, uint function, uint index, int register, int bit) in s_bits)
        {
            CpuidResult leaf = Find(entries, function, index);
            uint value = register switch
            {
                Eax => leaf.Eax,
                Ebx => leaf.Ebx,
                Ecx => leaf.Ecx,
                _ => leaf.Edx,
            };
            features |= (value >> bit & 1) != 0 ? feature : CpuFeatures.None;
        }

        return features;
    }

    /// <summary>MAXPHYADDR: what leaf 80000008H says, else 36 (volume 3, section 5.1.4).</summary>
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
}
