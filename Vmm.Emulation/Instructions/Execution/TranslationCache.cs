// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Remembers page translations of 4 KiB, apart for reads, writes and fetches, with the place in host memory where the binding lets
/// it. A tag holds the page, the rights that the walk was made with, so that a change of CPL, AC or CR0.PG misses by itself, and the
/// address space. What may be kept and what must be dropped is volume 3, invalidation of TLBs; there are no paging-structure caches.
/// </summary>
internal sealed class TranslationCache
{
    internal const int Read = 0;
    internal const int Write = 1;
    internal const int Fetch = 2;

    /// <summary>Entries for reads, and for writes.</summary>
    internal const int Size = 512;

    private const int FetchSize = 256;

    private readonly CpuState _state;
    private readonly TranslationEntry[] _reads = new TranslationEntry[Size];
    private readonly TranslationEntry[] _writes = new TranslationEntry[Size];
    private readonly TranslationEntry[] _fetches = new TranslationEntry[FetchSize];
    private readonly AddressSpaces _spaces = new();
    private readonly PageFilter _codePages = new();

    internal TranslationCache(CpuState state)
    {
        _state = state;
        state.ReadEntries = _reads;
        state.WriteEntries = _writes;
        Renew();
    }

    /// <summary>The entry where a page's translation belongs; whether it is there shows its tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref TranslationEntry Entry(int kind, ulong linear)
    {
        TranslationEntry[] entries = kind == Read ? _reads : kind == Write ? _writes : _fetches;
        return ref entries[(int)(linear >> 12) & (entries.Length - 1)];
    }

    /// <summary>Forgets all; code that is found by linear address is found anew.</summary>
    internal void Flush()
    {
        Array.Clear(_reads);
        Array.Clear(_writes);
        Array.Clear(_fetches);
        _spaces.Forget();
        _codePages.Clear();
        Renew();
    }

    /// <summary>Forgets a page in all address spaces, all parts of it where it is a large one.</summary>
    internal void DropPage(ulong linear)
    {
        DropPage(_reads, linear);
        DropPage(_writes, linear);
        DropPage(_fetches, linear);
        if (_codePages.MayHold(linear))
        {
            _codePages.Clear();
            _spaces.RenewGlobal();
        }

        Renew();
    }

    /// <summary>CR3 was loaded: another address space, or the same; its translations are kept or, but for global ones, forgotten.</summary>
    internal void Switch(ushort from, ushort to, bool keeps)
    {
        _spaces.Switch(from, to, out bool isKnown);
        keeps &= isKnown;
        ulong tag = _spaces.Tag;
        Adopt(_reads, tag, keeps);
        Adopt(_writes, tag, keeps);
        Adopt(_fetches, tag, keeps);
        if (keeps)
        {
            _spaces.RenewSupervisor();
        }
        else
        {
            _spaces.Renew(tag);
        }

        Renew();
    }

    /// <summary>Forgets an address space but for global pages.</summary>
    internal void DropSpace(ushort current, ushort pcid)
    {
        if (_spaces.TryFind(current, pcid, out ulong tag))
        {
            Drop(_reads, AddressSpaces.TagMask, tag);
            Drop(_writes, AddressSpaces.TagMask, tag);
            Drop(_fetches, AddressSpaces.TagMask, tag);
            _spaces.Renew(tag);
            Renew();
        }
    }

    /// <summary>Forgets all address spaces but for global pages.</summary>
    internal void DropSpaces()
    {
        Drop(_reads, 0, 0);
        Drop(_writes, 0, 0);
        Drop(_fetches, 0, 0);
        _spaces.RenewAll();
        Renew();
    }

    /// <summary>Code was found by a linear address, through an entry for fetches that is there.</summary>
    internal void NoteCode(ulong linear, bool isUser)
    {
        ref TranslationEntry entry = ref Entry(Fetch, linear);
        _codePages.Add(linear, entry.PageBits);
        if (!isUser && !entry.IsGlobal)
        {
            _spaces.NoteLocalSupervisorCode();
        }
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

    private static void DropPage(Span<TranslationEntry> entries, ulong linear)
    {
        foreach (ref TranslationEntry entry in entries)
        {
            if (entry.Holds(linear))
            {
                entry = default;
            }
        }
    }

    /// <summary>Forgets the entries that are not global and whose tags, masked, are as given.</summary>
    private static void Drop(Span<TranslationEntry> entries, ulong mask, ulong tag)
    {
        foreach (ref TranslationEntry entry in entries)
        {
            if (!entry.IsGlobal && (entry.Tag & mask) == tag)
            {
                entry = default;
            }
        }
    }

    /// <summary>Global entries go with the current address space, whose others may have to be forgotten.</summary>
    private static void Adopt(Span<TranslationEntry> entries, ulong tag, bool keeps)
    {
        foreach (ref TranslationEntry entry in entries)
        {
            if (entry.IsGlobal)
            {
                entry.Tag = entry.Tag & ~AddressSpaces.TagMask | tag;
                entry.HostTag = entry.HostTag == 0 ? 0 : entry.Tag;
            }
            else if (!keeps && (entry.Tag & AddressSpaces.TagMask) == tag)
            {
                entry = default;
            }
        }
    }

    private void Renew()
    {
        _state.AddressSpace = _spaces.Tag;
        _state.UserVersion = _spaces.UserVersion;
        _state.SupervisorVersion = _spaces.SupervisorVersion;
        _state.DataRights = _state.DataRights & ~AddressSpaces.TagMask | _spaces.Tag;
        _state.CodeContext = CodeContexts.WithVersion(
            _state.CodeContext, CodeContexts.IsUser(_state.CodeContext) ? _spaces.UserVersion : _spaces.SupervisorVersion);
        _state.BlockEnd = 0;
    }
}
