// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>A processor feature that CPUID shows as one bit.</summary>
/// <param name="Name">Its name in Linux' /proc/cpuinfo.</param>
/// <param name="Function">The leaf.</param>
/// <param name="Index">The subleaf; 0 where the leaf has none.</param>
/// <param name="Register">The register of the answer.</param>
/// <param name="Bit">The bit, 0 to 31.</param>
public readonly record struct CpuFeature(string Name, uint Function, uint Index, CpuidRegister Register, int Bit)
{
    /// <summary>Whether an entry is the one that has the feature's bit.</summary>
    /// <param name="entry">The entry.</param>
    /// <returns>Whether leaf and, where it matters, subleaf are the feature's.</returns>
    public bool IsIn(in CpuidEntry entry) =>
        entry.Function == Function && (entry.MatchIndex ? entry.Index == Index : Index == 0);

    /// <summary>Whether an entry that has the feature's bit has it set.</summary>
    /// <param name="entry">An entry for which <see cref="IsIn"/> holds.</param>
    /// <returns>Whether the bit is set.</returns>
    public bool IsSet(in CpuidEntry entry)
    {
        uint value = Register switch
        {
            CpuidRegister.Eax => entry.Eax,
            CpuidRegister.Ebx => entry.Ebx,
            CpuidRegister.Ecx => entry.Ecx,
            _ => entry.Edx,
        };
        return (value >> Bit & 1) != 0;
    }

    /// <summary>Sets or clears the feature in an entry.</summary>
    /// <param name="entry">An entry for which <see cref="IsIn"/> holds.</param>
    /// <param name="enabled">Whether the bit shall be set.</param>
    /// <returns>The changed entry.</returns>
    public CpuidEntry With(in CpuidEntry entry, bool enabled)
    {
        uint bit = 1u << Bit;
        uint set = enabled ? bit : 0;
        return Register switch
        {
            CpuidRegister.Eax => entry with { Eax = (entry.Eax & ~bit) | set },
            CpuidRegister.Ebx => entry with { Ebx = (entry.Ebx & ~bit) | set },
            CpuidRegister.Ecx => entry with { Ecx = (entry.Ecx & ~bit) | set },
            _ => entry with { Edx = (entry.Edx & ~bit) | set },
        };
    }
}
