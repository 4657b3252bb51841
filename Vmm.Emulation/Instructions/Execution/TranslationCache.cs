// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Remembers page translations of 4 KiB, apart for reads, writes and fetches, with the place in host memory where the binding lets
/// it. A tag holds the page and the rights that the walk was made with, so a change of CPL, AC or CR0.PG misses by itself.
/// </summary>
internal sealed class TranslationCache
{
    internal const int Read = 0;
    internal const int Write = 1;
    internal const int Fetch = 2;

    /// <summary>Entries for reads, and for writes.</summary>
    internal const int Size = 512;

    private const int FetchSize = 256;

    private readonly TranslationEntry[] _reads = new TranslationEntry[Size];
    private readonly TranslationEntry[] _writes = new TranslationEntry[Size];
    private readonly TranslationEntry[] _fetches = new TranslationEntry[FetchSize];

    internal TranslationCache(CpuState state)
    {
        state.ReadEntries = _reads;
        state.WriteEntries = _writes;
    }

    /// <summary>The entry where a page's translation belongs; whether it is there shows its tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref TranslationEntry Entry(int kind, ulong linear)
    {
        TranslationEntry[] entries = kind == Read ? _reads : kind == Write ? _writes : _fetches;
        return ref entries[(int)(linear >> 12) & (entries.Length - 1)];
    }

    /// <summary>Forgets all; code that is found by linear address is found anew.</summary>
    internal void Flush(CpuState state)
    {
        Array.Clear(_reads);
        Array.Clear(_writes);
        Array.Clear(_fetches);
        state.TranslationVersion++;
        state.CodeContext += CodeContexts.Version;
        state.BlockEnd = 0;
    }

    /// <summary>Writes to a page have to be noticed from now on: it holds code.</summary>
    internal void DropHostWrites(ulong page)
    {
        foreach (ref TranslationEntry entry in _writes.AsSpan())
        {
            if (entry.Page == page)
            {
                entry.HostTag = 0;
            }
        }
    }
}
