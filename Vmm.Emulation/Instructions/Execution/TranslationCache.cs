// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Remembers page translations of 4 KiB, apart for reads, writes and fetches. A tag holds the page and the rights that the
/// walk was made with, so a change of CPL or AC misses by itself.
/// </summary>
internal sealed class TranslationCache
{
    internal const int Read = 0;
    internal const int Write = 1;
    internal const int Fetch = 2;
    private const int Size = 256;

    private readonly Entry[] _entries = new Entry[Size * 3];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryGet(int kind, ulong tag, out ulong page)
    {
        ref readonly Entry entry = ref _entries[kind * Size + (int)(tag >> 12 & (Size - 1))];
        page = entry.Page;
        return entry.Tag == tag;
    }

    internal void Set(int kind, ulong tag, ulong page)
    {
        ref Entry entry = ref _entries[kind * Size + (int)(tag >> 12 & (Size - 1))];
        entry.Tag = tag;
        entry.Page = page;
    }

    internal void Flush() => Array.Clear(_entries);

    private struct Entry
    {
        internal ulong Tag;
        internal ulong Page;
    }
}
