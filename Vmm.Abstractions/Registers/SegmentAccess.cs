// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>
/// The access rights of a segment, laid out as in a VMX access-rights field (Intel SDM volume 3, guest register state): type in
/// bits 0 to 3, S in 4, DPL in 5 and 6, P in 7, AVL in 12, L in 13, D/B in 14, G in 15, unusable in 16.
/// </summary>
/// <param name="Value">The 32-bit field.</param>
public readonly record struct SegmentAccess(uint Value)
{
    private const uint PresentBit = 1u << 7;
    private const uint LongBit = 1u << 13;
    private const uint DefaultBigBit = 1u << 14;
    private const uint GranularityBit = 1u << 15;
    private const uint UnusableBit = 1u << 16;

    /// <summary>Bits 0 to 4: the four type bits and S, as <c>SEG_DESC_TYPE</c> gives them.</summary>
    public byte Type => (byte)(Value & 0x1f);

    /// <summary>Whether S is set: a code or data segment, not a system segment.</summary>
    public bool IsCodeOrData => (Value & (1u << 4)) != 0;

    /// <summary>Whether it is a code segment.</summary>
    public bool IsCode => (Value & 0x18) == 0x18;

    /// <summary>The descriptor's privilege level, 0 to 3.</summary>
    public int Dpl => (int)((Value >> 5) & 3);

    /// <summary>Whether the segment is present.</summary>
    public bool IsPresent => (Value & PresentBit) != 0;

    /// <summary>The bit left to software.</summary>
    public bool Available => (Value & (1u << 12)) != 0;

    /// <summary>Whether L is set: 64-bit code.</summary>
    public bool IsLong => (Value & LongBit) != 0;

    /// <summary>Whether D/B is set: 32-bit operands, addresses or stack by default.</summary>
    public bool IsDefault32 => (Value & DefaultBigBit) != 0;

    /// <summary>Whether the limit in the descriptor counts 4 KiB units.</summary>
    public bool IsPageGranular => (Value & GranularityBit) != 0;

    /// <summary>Whether the segment is unusable: a null selector was loaded.</summary>
    public bool IsUnusable => (Value & UnusableBit) != 0;

    /// <inheritdoc/>
    public override string ToString() => $"0x{Value:x}";
}
