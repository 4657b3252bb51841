// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>Which values registers accept, as pure functions.</summary>
public static class MsrChecks
{
    private const ulong EveryByte = 0x0101_0101_0101_0101;

    /// <summary>Whether an address is canonical.</summary>
    /// <param name="value">The address.</param>
    /// <param name="linearBits">The width of linear addresses: 48 or 57.</param>
    /// <returns>Whether the bits above are copies of the highest one.</returns>
    public static bool IsCanonical(ulong value, int linearBits)
    {
        int shift = 64 - linearBits;
        return (ulong)((long)(value << shift) >> shift) == value;
    }

    /// <summary>Whether a value has the form that a register's rule asks for. Does not allocate.</summary>
    /// <param name="description">The register.</param>
    /// <param name="value">The value.</param>
    /// <param name="linearBits">The width of linear addresses: 48 or 57.</param>
    /// <param name="physicalBits">The width of physical addresses.</param>
    /// <returns>Whether it has. What depends on the vCPU's other state (locks, paging, time) is not looked at.</returns>
    public static bool IsAccepted(in MsrDescription description, ulong value, int linearBits, int physicalBits) =>
        Accepts(description.Rule, description.Writable, value, linearBits, physicalBits);

    /// <summary>Whether a value has the form that a rule asks for.</summary>
    internal static bool Accepts(MsrRule rule, ulong writable, ulong value, int linearBits, int physicalBits) => rule switch
    {
        MsrRule.ReadOnly => false,
        MsrRule.Canonical => IsCanonical(value, linearBits),
        MsrRule.Cet => (value & 0x3c0) == 0 && IsCanonical(value & ~0xfffUL, linearBits),
        MsrRule.Pat => HasPatTypes(value),
        MsrRule.MtrrFixed => HasMtrrTypes(value),
        MsrRule.MtrrDefault or MsrRule.MtrrBase => HasMtrrTypes(value & 0xff) && (value & ~MaskOf(rule, writable, physicalBits)) == 0,
        MsrRule.MachineControl or MsrRule.BankControl => value is 0 or ulong.MaxValue,
        _ => (value & ~MaskOf(rule, writable, physicalBits)) == 0,
    };

    /// <summary>The bits that a value may have under a rule, as far as its rule is about single bits.</summary>
    internal static ulong MaskOf(MsrRule rule, ulong writable, int physicalBits) => rule switch
    {
        MsrRule.MtrrBase or MsrRule.MtrrMask => writable & (physicalBits >= 64 ? ulong.MaxValue : (1UL << physicalBits) - 1),
        MsrRule.BankZero => 0,
        MsrRule.PvArea => ~3UL,
        MsrRule.PvClock or MsrRule.PvEoi => ~2UL,
        MsrRule.AsyncFault => ~0x30UL,
        MsrRule.StealTime => ~0x3eUL,
        MsrRule.Reserved or MsrRule.Command or MsrRule.FeatureControl or MsrRule.MachineStatus or MsrRule.MtrrDefault => writable,
        _ => ulong.MaxValue,
    };

    /// <summary>Says why a value is not accepted.</summary>
    /// <param name="description">The register.</param>
    /// <param name="value">The value.</param>
    /// <param name="linearBits">The width of linear addresses: 48 or 57.</param>
    /// <param name="physicalBits">The width of physical addresses.</param>
    /// <returns>The reason in words; null when <see cref="IsAccepted"/>.</returns>
    public static string? FindFault(in MsrDescription description, ulong value, int linearBits, int physicalBits)
    {
        if (IsAccepted(description, value, linearBits, physicalBits))
        {
            return null;
        }

        ulong reserved = value & ~description.Writable;
        return description.Rule switch
        {
            MsrRule.ReadOnly => "it cannot be written",
            MsrRule.Canonical => $"0x{value:x} is not a canonical address",
            MsrRule.Cet when (value & 0x3c0) == 0 => "its address is not canonical",
            MsrRule.Cet => Reserved(value & 0x3c0),
            MsrRule.Pat => "a memory type is not 0, 1 or 4 to 7",
            MsrRule.MtrrFixed => "a memory type is not 0, 1 or 4 to 6",
            MsrRule.MachineControl or MsrRule.BankControl => "it takes all zeros or all ones",
            MsrRule.BankZero => "it can only be cleared",
            MsrRule.PvArea or MsrRule.PvClock => "its area is not at a multiple of four",
            MsrRule.PvEoi => Reserved(value & 2),
            MsrRule.AsyncFault => Reserved(value & 0x30),
            MsrRule.StealTime => Reserved(value & 0x3e),
            _ when reserved != 0 => Reserved(reserved),
            _ when !Fits(value, physicalBits) => $"it is wider than physical addresses of {physicalBits} bits",
            _ => "its memory type is not 0, 1 or 4 to 6",
        };
    }

    /// <summary>What a write to IA32_EFER comes to (AMD APM volume 2, extended feature enable register).</summary>
    /// <param name="current">The value so far.</param>
    /// <param name="value">The value written.</param>
    /// <param name="isPaging">Whether CR0.PG is set.</param>
    /// <param name="capabilities">The optional bits among NXE, SVME, FFXSR and TCE that the processor has.</param>
    /// <param name="result">What the register becomes.</param>
    /// <returns>Whether the write is allowed; otherwise it faults.</returns>
    public static bool TryWriteEfer(ulong current, ulong value, bool isPaging, ulong capabilities, out ulong result)
    {
        const ulong ReadsAsZero = 0xfe;
        const ulong AlwaysReserved = 0xffff_ffff_ffff_0200;
        const ulong LongModeEnable = 1 << 8;
        const ulong LongModeActive = 1 << 10;
        const ulong Optional = 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15;
        const ulong SegmentLimits = 1 << 13;
        result = value & ~ReadsAsZero;
        bool isActive = (result & LongModeActive) != 0;
        return (result & (AlwaysReserved | SegmentLimits)) == 0
            && (result & Optional & ~capabilities) == 0
            && !(isPaging && ((current ^ result) & LongModeEnable) != 0)
            && isActive == (isPaging && (result & LongModeEnable) != 0);
    }

    private static string Reserved(ulong bits) => $"the bits 0x{bits:x} are reserved";

    private static bool Fits(ulong value, int physicalBits) => physicalBits >= 64 || value >> physicalBits == 0;

    /// <summary>Eight memory types at once: none above 7, nor 2 and 3, which have bit 1 and not bit 2.</summary>
    private static bool HasPatTypes(ulong value) =>
        (value & ~(EveryByte * 7)) == 0 && (value >> 1 & ~(value >> 2) & EveryByte) == 0;

    /// <summary>The same without 7, which PAT alone has.</summary>
    private static bool HasMtrrTypes(ulong value) =>
        HasPatTypes(value) && (value & value >> 1 & value >> 2 & EveryByte) == 0;
}
