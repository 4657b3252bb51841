// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine;

/// <summary>
/// Values by disjoint inclusive ranges. A look-up is a binary search on an array that is replaced, never changed.
/// </summary>
/// <typeparam name="T">The value.</typeparam>
internal sealed class RangeTable<T>
    where T : class
{
    private readonly Lock _lock = new();
    private Entry[] _entries = [];

    /// <summary>Adds a range.</summary>
    /// <returns><see langword="false"/> when it overlaps another one.</returns>
    public bool TryAdd(ulong first, ulong last, T value)
    {
        lock (_lock)
        {
            Entry[] entries = _entries;
            int at = 0;
            while (at < entries.Length && entries[at].First < first)
            {
                at++;
            }

            if ((at > 0 && entries[at - 1].Last >= first) || (at < entries.Length && entries[at].First <= last))
            {
                return false;
            }

            Volatile.Write(ref _entries, [.. entries[..at], new Entry(first, last, value), .. entries[at..]]);
            return true;
        }
    }

    /// <summary>Whether a range has something in common with one that is there.</summary>
    public bool Overlaps(ulong first, ulong last)
    {
        foreach (Entry entry in Volatile.Read(ref _entries))
        {
            if (entry.First <= last && entry.Last >= first)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Removes the range that begins at an address.</summary>
    public void Remove(ulong first)
    {
        lock (_lock)
        {
            Volatile.Write(ref _entries, [.. _entries.Where(entry => entry.First != first)]);
        }
    }

    /// <summary>Finds the range that contains an address.</summary>
    public bool TryFind(ulong address, out Entry found)
    {
        Entry[] entries = Volatile.Read(ref _entries);
        int low = 0;
        int high = entries.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            ref readonly Entry entry = ref entries[middle];
            if (address < entry.First)
            {
                high = middle - 1;
            }
            else if (address > entry.Last)
            {
                low = middle + 1;
            }
            else
            {
                found = entry;
                return true;
            }
        }

        found = default;
        return false;
    }

    public readonly record struct Entry(ulong First, ulong Last, T Value);
}
