// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>The registers of a CPUID entry by name.</summary>
internal static class CpuidEntryExtensions
{
    public static uint Get(in this CpuidEntry entry, CpuidRegister register) => register switch
    {
        CpuidRegister.Eax => entry.Eax,
        CpuidRegister.Ebx => entry.Ebx,
        CpuidRegister.Ecx => entry.Ecx,
        _ => entry.Edx,
    };

    public static CpuidEntry With(in this CpuidEntry entry, CpuidRegister register, uint value) => register switch
    {
        CpuidRegister.Eax => entry with { Eax = value },
        CpuidRegister.Ebx => entry with { Ebx = value },
        CpuidRegister.Ecx => entry with { Ecx = value },
        _ => entry with { Edx = value },
    };

    /// <summary>Whether the processor distinguishes subleaves of a leaf.</summary>
    public static bool HasSubleaves(uint function) => function is
        4 or 7 or 0xb or 0xd or 0xf or 0x10 or 0x12 or 0x14 or 0x17 or 0x18 or 0x1a or 0x1b or 0x1d or 0x1e or 0x1f or 0x20
        or 0x23 or 0x24 or 0x8000_001d or 0x8000_0020 or 0x8000_0026;
}
