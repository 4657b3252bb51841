// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// A segment register with its hidden part. <see cref="Access"/> has the layout of the VMX access rights, which is also
/// bhyve's: type in bits 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16.
/// </summary>
public struct SegmentState : IEquatable<SegmentState>
{
    internal const uint TypeAccessed = 1;
    internal const uint TypeWritable = 2;
    internal const uint TypeExpandDown = 4;
    internal const uint TypeCode = 8;
    internal const uint CodeOrData = 1 << 4;
    internal const uint PresentBit = 1 << 7;
    internal const uint LongBit = 1 << 13;
    internal const uint BigBit = 1 << 14;
    internal const uint GranularityBit = 1 << 15;
    internal const uint UnusableBit = 1 << 16;

    /// <summary>The linear address of offset 0.</summary>
    public ulong Base { get; set; }

    /// <summary>The last valid offset in bytes, granularity applied.</summary>
    public uint Limit { get; set; }

    /// <summary>The access rights in the layout above.</summary>
    public uint Access { get; set; }

    /// <summary>The visible part.</summary>
    public ushort Selector { get; set; }

    internal readonly int Type => (int)(Access & 15);

    internal readonly int Dpl => (int)(Access >> 5) & 3;

    internal readonly bool IsUnusable => (Access & UnusableBit) != 0;

    internal readonly bool IsLong => (Access & LongBit) != 0;

    internal readonly bool IsBig => (Access & BigBit) != 0;

    /// <inheritdoc/>
    public readonly bool Equals(SegmentState other)
        => Base == other.Base && Limit == other.Limit && Access == other.Access && Selector == other.Selector;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is SegmentState other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(Base, Limit, Access, Selector);

    /// <summary>Whether all parts are equal.</summary>
    public static bool operator ==(SegmentState left, SegmentState right) => left.Equals(right);

    /// <summary>Whether some part differs.</summary>
    public static bool operator !=(SegmentState left, SegmentState right) => !left.Equals(right);
}
