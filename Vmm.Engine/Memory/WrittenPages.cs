// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Abstractions.Addressing;

namespace Vmm.Engine.Memory;

/// <summary>
/// Pages that a reference was handed out for and whose write may still come. A page is recorded as written when so many others have
/// followed that no instruction can still be at it, and at the end of the batch: a record that came before the write could be taken
/// before it too. Used by the vCPU's owner only.
/// </summary>
internal sealed class WrittenPages
{
    /// <summary>More pages than one instruction has in hand at once.</summary>
    private const int Delay = 32;

    private readonly (DirtyPages? Pages, ulong Page)[] _recent = new (DirtyPages?, ulong)[Delay];
    private int _next;

    /// <summary>Notes bytes that are about to be written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Note(DirtyPages pages, ulong position, int length)
    {
        ulong last = (position + (ulong)length - 1) / PageSize.Bytes;
        for (ulong page = position / PageSize.Bytes; page <= last; page++)
        {
            ref (DirtyPages? Pages, ulong Page) newest = ref _recent[(_next + Delay - 1) % Delay];
            if (newest.Page != page || newest.Pages != pages)
            {
                Add(pages, page);
            }
        }
    }

    /// <summary>Records everything: no write is to come any more.</summary>
    public void Settle()
    {
        for (int i = 0; i < Delay; i++)
        {
            Record(ref _recent[i]);
        }
    }

    private static void Record(ref (DirtyPages? Pages, ulong Page) entry)
    {
        entry.Pages?.Mark(entry.Page, 1);
        entry = default;
    }

    private void Add(DirtyPages pages, ulong page)
    {
        Record(ref _recent[_next]);
        _recent[_next] = (pages, page);
        _next = (_next + 1) % Delay;
    }
}
