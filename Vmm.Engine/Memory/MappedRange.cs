// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>A mapping together with the memory under it and its placement in the hypervisor.</summary>
internal sealed class MappedRange(in GuestMemoryMapping mapping, GuestMemoryBlock block, bool isSystemMemory, bool trackDirty)
{
    /// <summary>The segment of memory that is in none.</summary>
    public static SegmentId NoSegment => new(-1);

    /// <summary>Whether it is memory of a device of the host.</summary>
    public bool IsHostDevice => Mapping.Segment == NoSegment;

    /// <summary>What was asked for.</summary>
    public GuestMemoryMapping Mapping { get; } = mapping;

    /// <summary>The guest-physical range.</summary>
    public GuestPhysicalRange Range { get; } = GuestPhysicalRange.Create(mapping.Address, mapping.Length);

    /// <summary>The memory; the mapping holds a reference.</summary>
    public GuestMemoryBlock Block { get; } = block;

    /// <summary>Whether it is RAM.</summary>
    public bool IsSystemMemory { get; } = isSystemMemory;

    /// <summary>Which of its pages were written; null where nobody will ask.</summary>
    public DirtyPages? Dirty { get; } = trackDirty ? new DirtyPages(mapping.Length) : null;

    /// <summary>Where the hypervisor has it.</summary>
    public IDisposable? Placement { get; set; }

    /// <summary>The offset in the block that an address means.</summary>
    public ulong BlockOffset(GuestPhysicalAddress address) => Mapping.Offset + (address.Value - Range.Start.Value);

    /// <summary>The bytes at an address; empty where not all of them are in the mapping or it does not permit the access.</summary>
    /// <param name="address">An address in the range.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="access">What the mapping must permit.</param>
    public Span<byte> Bytes(GuestPhysicalAddress address, int length, MemoryProtection access) =>
        (Mapping.Protection & access) == access && BytesFrom(address) >= (ulong)length
            ? Block.GetSpan(BlockOffset(address), length)
            : default;

    /// <summary>Bytes from an address to the end of the mapping.</summary>
    public ulong BytesFrom(GuestPhysicalAddress address) => Range.Last.Value - address.Value + 1;
}
