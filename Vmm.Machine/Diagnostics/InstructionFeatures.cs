// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;

namespace Vmm.Machine.Diagnostics;

/// <summary>The names of processor features as the decoder's feature numbers mean them.</summary>
internal static class InstructionFeatures
{
    /// <summary>A feature's name in /proc/cpuinfo, or null where turning a CPUID bit off does not hide it.</summary>
    public static string? NameOf(CpuidFeature feature) => feature switch
    {
        CpuidFeature.CMPXCHG16B => "cx16",
        CpuidFeature.POPCNT => "popcnt",
        CpuidFeature.LZCNT => "abm",
        CpuidFeature.BMI1 => "bmi1",
        CpuidFeature.BMI2 => "bmi2",
        CpuidFeature.ADX => "adx",
        CpuidFeature.MOVBE => "movbe",
        CpuidFeature.AES => "aes",
        CpuidFeature.PCLMULQDQ => "pclmulqdq",
        CpuidFeature.RDRAND => "rdrand",
        CpuidFeature.RDSEED => "rdseed",
        CpuidFeature.RDTSCP => "rdtscp",
        CpuidFeature.RDPID => "rdpid",
        CpuidFeature.SMAP => "smap",
        CpuidFeature.FSGSBASE => "fsgsbase",
        CpuidFeature.INVPCID => "invpcid",
        CpuidFeature.CLFLUSHOPT => "clflushopt",
        CpuidFeature.CLWB => "clwb",
        CpuidFeature.XSAVE => "xsave",
        CpuidFeature.XSAVEOPT => "xsaveopt",
        CpuidFeature.XSAVEC => "xsavec",
        CpuidFeature.XSAVES => "xsaves",
        CpuidFeature.SSE3 => "pni",
        CpuidFeature.SSSE3 => "ssse3",
        CpuidFeature.SSE4_1 => "sse4_1",
        CpuidFeature.SSE4_2 => "sse4_2",
        CpuidFeature.SSE4A => "sse4a",
        CpuidFeature.AVX => "avx",
        CpuidFeature.AVX2 => "avx2",
        CpuidFeature.AVX512F => "avx512f",
        CpuidFeature.FMA => "fma",
        CpuidFeature.F16C => "f16c",
        CpuidFeature.SHA => "sha_ni",
        CpuidFeature.GFNI => "gfni",
        CpuidFeature.SERIALIZE => "serialize",
        CpuidFeature.CLZERO => "clzero",
        CpuidFeature.WBNOINVD => "wbnoinvd",
        CpuidFeature.MONITOR => "monitor",
        CpuidFeature.CET_SS => "user_shstk",
        CpuidFeature.CET_IBT => "ibt",
        _ => null,
    };
}
