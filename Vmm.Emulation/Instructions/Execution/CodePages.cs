// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The guest-physical pages that code was decoded from, each with the range that holds it: an open-addressed table that grows with
/// use. The range of a page only widens until all is forgotten.
/// </summary>
internal sealed class CodePages
{
    private Entry[] _entries = [];
    private int _count;

    /// <summary>Whether a page holds decoded code.</summary>
    internal bool Contains(ulong page) => _count != 0 && Find(page).Key != 0;

    /// <summary>Whether a range within one page overlaps decoded code.</summary>
    internal bool Overlaps(ulong physical, int length)
    {
        if (_count == 0)
        {
            return false;
        }

        Entry entry = Find(physical & ~0xFFFUL);
        int first = (int)(physical & 0xFFF);
        return entry.Key != 0 && first <= entry.Last && first + length > entry.First;
    }

    /// <summary>Adds a range within one page; true if the page is new.</summary>
    internal bool Add(ulong physical, int length)
    {
        if (_count * 2 >= _entries.Length)
        {
            Grow();
        }

        ref Entry entry = ref Find(physical & ~0xFFFUL);
        short first = (short)(physical & 0xFFF);
        short last = (short)(first + length - 1);
        if (entry.Key != 0)
        {
            entry.First = Math.Min(entry.First, first);
            entry.Last = Math.Max(entry.Last, last);
            return false;
        }

        entry = new() { Key = physical & ~0xFFFUL | 1, First = first, Last = last };
        _count++;
        return true;
    }

    internal void Clear()
    {
        Array.Clear(_entries);
        _count = 0;
    }

    /// <summary>The page's entry, or the free one where it belongs. There is always a free one.</summary>
    private ref Entry Find(ulong page)
    {
        int mask = _entries.Length - 1;
        int at = (int)((page >> 12) * 0x9E37_79B9_7F4A_7C15 >> 32) & mask;
        while (_entries[at].Key != 0 && _entries[at].Key != (page | 1))
        {
            at = at + 1 & mask;
        }

        return ref _entries[at];
    }

    private void Grow()
    {
        Entry[] old = _entries;
        _entries = new Entry[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, old.Length * 2))];
        foreach (Entry entry in old)
        {
            if (entry.Key != 0)
            {
                Find(entry.Key & ~0xFFFUL) = entry;
            }
        }
    }

    private struct Entry
    {
        /// <summary>The page with bit 0 set, or 0 where free.</summary>
        internal ulong Key;

        internal short First;
        internal short Last;
    }
}
