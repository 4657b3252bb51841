// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>A processor feature that CPUID shows as one bit.</summary>
/// <param name="Name">Its name in Linux' /proc/cpuinfo; where Linux has none, after the manual's.</param>
/// <param name="Function">The leaf.</param>
/// <param name="Index">The subleaf; 0 where the leaf has none.</param>
/// <param name="Register">The register of the answer.</param>
/// <param name="Bit">The bit, 0 to 31.</param>
/// <param name="Needs">The names of the features without which it cannot be, separated by blanks; empty when there are none.</param>
/// <param name="State">The components of XCR0 or IA32_XSS that hold its state, as bits; 0 when it has none.</param>
/// <param name="Msr">A register that exists with the feature; 0 when there is none.</param>
/// <param name="IsShownByLinux">Whether Linux shows this bit under this name.</param>
public readonly record struct CpuFeature(
    string Name,
    uint Function,
    uint Index,
    CpuidRegister Register,
    int Bit,
    string Needs = "",
    ulong State = 0,
    uint Msr = 0,
    bool IsShownByLinux = true)
{
    /// <summary>The bit in its register.</summary>
    public uint Mask => 1u << Bit;

    /// <summary>Whether an entry is the one that has the feature's bit.</summary>
    /// <param name="entry">The entry.</param>
    /// <returns>Whether leaf and, where it matters, subleaf are the feature's.</returns>
    public bool IsIn(in CpuidEntry entry) =>
        entry.Function == Function && (entry.MatchIndex ? entry.Index == Index : Index == 0);

    /// <summary>Whether an entry that has the feature's bit has it set.</summary>
    /// <param name="entry">An entry for which <see cref="IsIn"/> holds.</param>
    /// <returns>Whether the bit is set.</returns>
    public bool IsSet(in CpuidEntry entry) => (entry.Get(Register) & Mask) != 0;

    /// <summary>Sets or clears the feature in an entry.</summary>
    /// <param name="entry">An entry for which <see cref="IsIn"/> holds.</param>
    /// <param name="enabled">Whether the bit shall be set.</param>
    /// <returns>The changed entry.</returns>
    public CpuidEntry With(in CpuidEntry entry, bool enabled)
    {
        uint value = entry.Get(Register);
        return entry.With(Register, enabled ? value | Mask : value & ~Mask);
    }
}
