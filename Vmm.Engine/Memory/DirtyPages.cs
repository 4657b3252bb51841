// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>
/// The written pages of one mapping: one bit a page, which the host's writes set directly and the hypervisor's log is drained into.
/// Marking may happen on any thread; what takes or drains is kept apart by the memory map's lock.
/// </summary>
internal sealed class DirtyPages(ulong length) : IWriteObserver
{
    private const int WordBits = 64;

    private readonly ulong _pages = length / PageSize.Bytes;
    private readonly ulong[] _bits = new ulong[((length / PageSize.Bytes) + WordBits - 1) / WordBits];

    /// <inheritdoc/>
    public void Written(ulong position, int length)
    {
        ulong last = (position + (ulong)length - 1) / PageSize.Bytes;
        for (ulong page = position / PageSize.Bytes; page <= last; page++)
        {
            Mark(page);
        }
    }

    /// <summary>Records pages.</summary>
    public void Mark(ulong firstPage, ulong pages)
    {
        for (ulong page = firstPage; page < firstPage + pages; page++)
        {
            Mark(page);
        }
    }

    /// <summary>Takes over what the hypervisor has recorded of a range of pages, in whole words.</summary>
    public void Drain(IDirtyLog log, ulong firstPage, ulong pages)
    {
        ulong first = firstPage / WordBits * WordBits;
        ulong end = Math.Min(_pages, (firstPage + pages + WordBits - 1) / WordBits * WordBits);
        log.Drain(first, end - first, _bits);
    }

    /// <summary>Whether a page is recorded.</summary>
    public bool Test(ulong page) => (Volatile.Read(ref _bits[page / WordBits]) & Bit(page)) != 0;

    /// <summary>Whether a page is recorded; forgets it.</summary>
    public bool Take(ulong page) =>
        Test(page) && (Interlocked.And(ref _bits[page / WordBits], ~Bit(page)) & Bit(page)) != 0;

    /// <summary>Takes all pages.</summary>
    /// <param name="start">The mapping's first address.</param>
    /// <param name="runs">Receives the runs.</param>
    /// <returns>How many pages.</returns>
    public ulong TakeRuns(GuestPhysicalAddress start, ICollection<GuestPhysicalRange> runs)
    {
        ulong count = 0;
        ulong runStart = 0;
        ulong runLength = 0;
        for (int i = 0; i < _bits.Length; i++)
        {
            ulong word = Volatile.Read(ref _bits[i]) == 0 ? 0 : Interlocked.Exchange(ref _bits[i], 0);
            while (word != 0)
            {
                ulong page = ((ulong)i * WordBits) + (ulong)BitOperations.TrailingZeroCount(word);
                word &= word - 1;
                count++;
                if (runLength > 0 && page == runStart + runLength)
                {
                    runLength++;
                    continue;
                }

                Report(runStart, runLength);
                (runStart, runLength) = (page, 1);
            }
        }

        Report(runStart, runLength);
        return count;

        void Report(ulong page, ulong pages)
        {
            if (pages > 0)
            {
                runs.Add(GuestPhysicalRange.Create(new(start.Value + (page * PageSize.Bytes)), pages * PageSize.Bytes));
            }
        }
    }

    private static ulong Bit(ulong page) => 1ul << (int)(page % WordBits);

    private void Mark(ulong page)
    {
        if (!Test(page))
        {
            Interlocked.Or(ref _bits[page / WordBits], Bit(page));
        }
    }
}
