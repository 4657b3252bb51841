// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>
/// The firmware memory map handed to a kernel: ranges sorted by address, without overlap, neighbours of one type merged.
/// Not safe for use by several threads while it is being built.
/// </summary>
public sealed class E820Map
{
    /// <summary>How many entries the table in boot_params holds (E820_MAX_ENTRIES_ZEROPAGE).</summary>
    public const int MaximumBootEntries = 128;

    private readonly List<E820Entry> _entries = [];

    /// <summary>The ranges, ascending.</summary>
    public IReadOnlyList<E820Entry> Entries => _entries;

    /// <summary>Sets the type of a range; what the map said about these addresses before is replaced.</summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Length in bytes; the range must end inside the 64-bit address space.</param>
    /// <param name="type">What the range holds.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is zero, or the range wraps.</exception>
    public void Set(GuestPhysicalAddress address, ulong length, E820Type type)
    {
        ArgumentOutOfRangeException.ThrowIfZero(length);
        if (length - 1 > ulong.MaxValue - address.Value)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, "The range wraps around the address space.");
        }

        E820Entry added = new(address, length, type);
        List<E820Entry> pieces = [added];
        foreach (E820Entry entry in _entries)
        {
            AddRemainder(pieces, entry, added);
        }

        pieces.Sort(static (left, right) => left.Base.Value.CompareTo(right.Base.Value));
        _entries.Clear();
        foreach (E820Entry piece in pieces)
        {
            Append(piece);
        }
    }

    /// <summary>Whether every byte of a range is of one type.</summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Length in bytes; an empty range is never covered.</param>
    /// <param name="type">The type looked for.</param>
    public bool Covers(GuestPhysicalAddress address, ulong length, E820Type type)
    {
        if (length == 0 || length - 1 > ulong.MaxValue - address.Value)
        {
            return false;
        }

        // Neighbours of one type are merged, so a covered range lies inside one entry.
        ulong last = address.Value + (length - 1);
        return _entries.Exists(entry =>
            entry.Type == type && address.Value >= entry.Base.Value && last <= entry.Last.Value);
    }

    /// <summary>A copy that can be changed without changing this map.</summary>
    public E820Map Clone()
    {
        E820Map copy = new();
        copy._entries.AddRange(_entries);
        return copy;
    }

    private static void AddRemainder(List<E820Entry> pieces, E820Entry entry, E820Entry removed)
    {
        if (entry.Last.Value < removed.Base.Value || entry.Base.Value > removed.Last.Value)
        {
            pieces.Add(entry);
            return;
        }

        if (entry.Base.Value < removed.Base.Value)
        {
            pieces.Add(entry with { Length = removed.Base.Value - entry.Base.Value });
        }

        if (entry.Last.Value > removed.Last.Value)
        {
            pieces.Add(new(new(removed.Last.Value + 1), entry.Last.Value - removed.Last.Value, entry.Type));
        }
    }

    private void Append(E820Entry piece)
    {
        if (_entries.Count > 0 && _entries[^1] is { } last
            && last.Type == piece.Type && last.Last.Value + 1 == piece.Base.Value)
        {
            _entries[^1] = last with { Length = last.Length + piece.Length };
            return;
        }

        _entries.Add(piece);
    }
}
