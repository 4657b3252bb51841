// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Machine.Boot;

/// <summary>
/// What a loader is going to write, checked as a whole before the first byte is written: every range is RAM and no two
/// overlap, so that a refused image leaves guest memory as it was.
/// </summary>
internal sealed class BootPlan(PcMemoryLayout layout, E820Map? map = null)
{
    private static readonly byte[] s_zeros = new byte[64 * 1024];

    private readonly List<Item> _items = [];

    /// <summary>What has been added, in that order.</summary>
    internal IReadOnlyList<BootPlacement> Placements => [.. _items.Select(static item => item.Placement)];

    /// <summary>Adds a range that is filled: its beginning with <paramref name="content"/>, the rest with zeros.</summary>
    /// <param name="placement">Name, address and size in memory.</param>
    /// <param name="content">At most as many bytes as the range has.</param>
    /// <param name="origin">Whom to blame when it does not fit.</param>
    internal void Add(BootPlacement placement, ReadOnlyMemory<byte> content, BootOrigin origin) =>
        Add(new Item(placement, content, ZeroTail: true), origin);

    /// <summary>Adds a range of which only the beginning is written; the guest fills the rest itself.</summary>
    /// <param name="placement">Name, address and size in memory.</param>
    /// <param name="content">At most as many bytes as the range has.</param>
    /// <param name="origin">Whom to blame when it does not fit.</param>
    internal void Reserve(BootPlacement placement, ReadOnlyMemory<byte> content, BootOrigin origin) =>
        Add(new Item(placement, content, ZeroTail: false), origin);

    /// <summary>Whether a range is RAM that the firmware memory map, if there is one, does not give to somebody else.</summary>
    internal bool IsUsable(GuestPhysicalAddress address, ulong length) =>
        layout.IsRam(address, length) && (map is null || map.Covers(address, Math.Max(length, 1), E820Type.Ram));

    /// <summary>Whether a range touches one that is already planned, and which.</summary>
    internal bool TryFindOverlap(GuestPhysicalAddress address, ulong length, out BootPlacement other)
    {
        foreach (Item item in _items)
        {
            BootPlacement placed = item.Placement;
            bool apart = length == 0 || placed.Length == 0
                || address.Value > placed.Address.Value + (placed.Length - 1)
                || placed.Address.Value > address.Value + (length - 1);
            if (!apart)
            {
                other = placed;
                return true;
            }
        }

        other = default;
        return false;
    }

    /// <summary>Writes everything.</summary>
    /// <exception cref="InvalidOperationException">Guest memory refuses what the layout calls RAM.</exception>
    internal void Commit(IGuestMemory memory)
    {
        foreach (Item item in _items)
        {
            Write(memory, item);
        }
    }

    private static void Write(IGuestMemory memory, Item item)
    {
        WriteChunk(memory, item.Placement, 0, item.Content.Span);
        ulong end = item.ZeroTail ? item.Placement.Length : 0;
        ReadOnlySpan<byte> zeros = s_zeros;
        for (ulong done = (ulong)item.Content.Length; done < end;)
        {
            int count = (int)Math.Min(end - done, (ulong)zeros.Length);
            WriteChunk(memory, item.Placement, done, zeros[..count]);
            done += (ulong)count;
        }
    }

    private static void WriteChunk(IGuestMemory memory, BootPlacement placement, ulong offset, ReadOnlySpan<byte> bytes)
    {
        GuestPhysicalAddress address = new(placement.Address.Value + offset);
        if (!bytes.IsEmpty && !memory.TryWrite(address, bytes))
        {
            throw new InvalidOperationException(Invariant(
                $"Guest memory refused {bytes.Length} bytes of {placement.Name} at {address}: it is smaller than the memory layout says."));
        }
    }

    private void Add(Item item, BootOrigin origin)
    {
        BootPlacement placement = item.Placement;
        if (!IsUsable(placement.Address, placement.Length))
        {
            throw origin.Refuse(
                Invariant($"{placement.Name} of {placement.Length} bytes at {placement.Address} does not lie in usable RAM, which ends at 0x{layout.LowRamEnd:x}"),
                "Give the machine more memory, or use an intact image that is linked lower");
        }

        if (TryFindOverlap(placement.Address, placement.Length, out BootPlacement other))
        {
            throw origin.Refuse(
                Invariant($"{placement.Name} of {placement.Length} bytes at {placement.Address} overlaps {other.Name} at {other.Address}"),
                "Load it elsewhere, give the machine more memory, or use an intact image");
        }

        _items.Add(item);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private readonly record struct Item(BootPlacement Placement, ReadOnlyMemory<byte> Content, bool ZeroTail);
}
