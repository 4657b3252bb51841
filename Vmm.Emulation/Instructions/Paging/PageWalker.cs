// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>
/// Walks the guest's page tables as the processor does (volume 3, paging). Accessed and dirty bits are set by
/// compare-exchange, and only once the whole access is known to be permitted; a lost race starts the walk again.
/// </summary>
public static class PageWalker
{
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong UserPage = 4;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong PageSize = 0x80;
    private const ulong Global = 0x100;
    private const ulong NoExecuteBit = 1UL << 63;

    private const uint FaultPresent = 1;
    private const uint FaultWrite = 2;
    private const uint FaultUser = 4;
    private const uint FaultReserved = 8;
    private const uint FaultFetch = 16;
    private const uint FaultKey = 32;

    /// <summary>Translates for an access that is going to happen: sets accessed and dirty bits.</summary>
    /// <remarks>The linear address must be canonical in the 4- and 5-level modes; its upper half is ignored in the others.</remarks>
    public static Translation Translate<TMemory>(ref TMemory memory, in PagingState state, ulong linearAddress, PageAccess access)
        where TMemory : struct, IPhysicalMemory
        => Walk(ref memory, in state, linearAddress, access, update: true);

    /// <summary>Translates without any effect on the guest.</summary>
    /// <inheritdoc cref="Translate" path="/remarks"/>
    public static Translation Probe<TMemory>(ref TMemory memory, in PagingState state, ulong linearAddress, PageAccess access)
        where TMemory : struct, IPhysicalMemory
        => Walk(ref memory, in state, linearAddress, access, update: false);

    /// <summary>The most levels that a walk has.</summary>
    public const int MaximumLevels = 5;

    /// <summary>
    /// Lists the entries that a walk looks at, from the top level to the first that ends it, whatever the access. Without any effect
    /// on the guest.
    /// </summary>
    /// <param name="memory">The memory.</param>
    /// <param name="state">The registers.</param>
    /// <param name="linearAddress">The linear address.</param>
    /// <param name="steps">Receives the entries; room for <see cref="MaximumLevels"/>.</param>
    /// <returns>How many there are; 0 without paging.</returns>
    public static int Trace<TMemory>(ref TMemory memory, in PagingState state, ulong linearAddress, Span<PageWalkStep> steps)
        where TMemory : struct, IPhysicalMemory
    {
        bool wide = state.Mode != PagingMode.Bits32;
        int level = TopLevel(in state);
        ulong table = TopTable(in state);
        int count = 0;
        while (level > 0)
        {
            ulong address = EntryAddress(in state, table, level, linearAddress, out bool isPdpte);
            ref byte at = ref memory.Ram(address, wide ? 8 : 4, write: false);
            if (Unsafe.IsNullRef(ref at))
            {
                steps[count++] = new(level, address, 0, IsInMemory: false);
                return count;
            }

            ulong entry = wide ? Unsafe.ReadUnaligned<ulong>(ref at) : Unsafe.ReadUnaligned<uint>(ref at);
            steps[count++] = new(level, address, entry, IsInMemory: true);
            bool large = !isPdpte && (entry & PageSize) != 0 && level is 2 or 3 && (wide || state.LargePages32);
            if ((entry & Present) == 0 || large)
            {
                return count;
            }

            table = wide ? entry & AddressMask(in state) : entry & 0xFFFF_F000;
            level--;
        }

        return count;
    }

    private static int TopLevel(in PagingState state) => state.Mode switch
    {
        PagingMode.Flat => 0,
        PagingMode.Bits32 => 2,
        PagingMode.Pae => 3,
        PagingMode.FourLevel => 4,
        _ => 5,
    };

    private static ulong TopTable(in PagingState state) => state.Mode switch
    {
        PagingMode.Bits32 => state.Cr3 & 0xFFFF_F000,
        PagingMode.Pae => state.Cr3 & 0xFFFF_FFE0,
        _ => state.Cr3 & AddressMask(in state),
    };

    private static ulong EntryAddress(in PagingState state, ulong table, int level, ulong linear, out bool isPdpte)
    {
        bool wide = state.Mode != PagingMode.Bits32;
        int indexBits = wide ? 9 : 10;
        isPdpte = level == 3 && state.Mode == PagingMode.Pae;
        ulong index = linear >> (12 + (level - 1) * indexBits) & (isPdpte ? 3UL : (1UL << indexBits) - 1);
        return table + index * (wide ? 8UL : 4UL);
    }

    private static Translation Walk<TMemory>(ref TMemory memory, in PagingState state, ulong linear, PageAccess access, bool update)
        where TMemory : struct, IPhysicalMemory
    {
        if (state.Mode == PagingMode.Flat)
        {
            return new(TranslationStatus.Mapped, linear, 0, 12);
        }

        // Each lost race means that another CPU changed an entry; a guest that does so forever must not hold us.
        for (int attempt = 0; attempt < 64; attempt++)
        {
            if (TryWalk(ref memory, in state, linear, access, update, out Translation result))
            {
                return result;
            }
        }

        return new(TranslationStatus.NoMemory, 0, 0, 0);
    }

    /// <summary>One walk; false when an entry changed under it.</summary>
    private static bool TryWalk<TMemory>(
        ref TMemory memory, in PagingState state, ulong linear, PageAccess access, bool update, out Translation result)
        where TMemory : struct, IPhysicalMemory
    {
        bool wide = state.Mode != PagingMode.Bits32;
        int level = TopLevel(in state);
        ulong table = TopTable(in state);
        int indexBits = wide ? 9 : 10;
        ulong permissions = Writable | UserPage;
        ulong noExecute = 0;
        WalkPath path = default;
        while (true)
        {
            int shift = 12 + (level - 1) * indexBits;
            ulong address = EntryAddress(in state, table, level, linear, out bool isPdpte);
            ref byte entryAt = ref memory.Ram(address, wide ? 8 : 4, write: false);
            if (Unsafe.IsNullRef(ref entryAt))
            {
                result = new(TranslationStatus.NoMemory, address, 0, 0);
                return true;
            }

            ulong entry = wide ? Volatile.Read(ref Unsafe.As<byte, ulong>(ref entryAt)) : Volatile.Read(ref Unsafe.As<byte, uint>(ref entryAt));
            if ((entry & Present) == 0)
            {
                result = Fault(in state, access, 0);
                return true;
            }

            bool large = !isPdpte && (entry & PageSize) != 0 && level is 2 or 3 && (wide || state.LargePages32) && level > 1;
            bool leaf = level == 1 || large;
            if ((entry & Reserved(in state, level, large)) != 0)
            {
                result = Fault(in state, access, FaultPresent | FaultReserved);
                return true;
            }

            path.Add(address, entry, isPdpte);
            if (!isPdpte)
            {
                permissions &= entry;
                noExecute |= state.NoExecute ? entry & NoExecuteBit : 0;
            }

            if (!leaf)
            {
                table = wide ? entry & AddressMask(in state) : entry & 0xFFFF_F000;
                level--;
                continue;
            }

            uint denied = Check(in state, access, permissions, noExecute != 0, (int)(entry >> 59) & 15);
            if (denied != 0)
            {
                result = Fault(in state, access, FaultPresent | denied & FaultKey);
                return true;
            }

            if (update && !SetAccessedAndDirty(ref memory, in path, wide, (access & PageAccess.Write) != 0))
            {
                result = default;
                return false;
            }

            ulong offsetMask = (1UL << shift) - 1;
            ulong page = wide ? entry & AddressMask(in state) & ~offsetMask : LargePage32(entry, large);
            result = new(TranslationStatus.Mapped, page | linear & offsetMask, 0, (byte)shift)
            {
                IsGlobal = state.GlobalPages && (entry & Global) != 0,
            };
            return true;
        }
    }

    private static ulong AddressMask(in PagingState state) => (1UL << state.PhysicalAddressBits) - 1 & ~0xFFFUL;

    /// <summary>PSE-36 keeps bits 32-39 of a 4 MiB page's address in bits 13-20 (volume 3, 32-bit paging).</summary>
    private static ulong LargePage32(ulong entry, bool large)
        => large ? entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32 : entry & 0xFFFF_F000;

    /// <summary>The bits that must be clear (volume 3, paging: the formats of the entries).</summary>
    private static ulong Reserved(in PagingState state, int level, bool large)
    {
        if (state.Mode == PagingMode.Bits32)
        {
            // Bit 21, and what lies above MAXPHYADDR of the PSE-36 part, which has at most 40 bits.
            int high = Math.Clamp(state.PhysicalAddressBits - 32, 0, 8);
            return large ? 1UL << 21 | 0xFFUL >> high << high << 13 & 0x1F_E000 : 0;
        }

        ulong aboveAddress = ~((1UL << state.PhysicalAddressBits) - 1);
        if (state.Mode == PagingMode.Pae)
        {
            return level == 3
                ? aboveAddress | 0x1E6
                : aboveAddress & ~NoExecuteBit | (state.NoExecute ? 0 : NoExecuteBit) | (large ? 0x1F_E000UL : 0);
        }

        ulong reserved = aboveAddress & 0x000F_FFFF_FFFF_FFFF | (state.NoExecute ? 0 : NoExecuteBit);
        return level switch
        {
            5 or 4 => reserved | PageSize,
            3 when large && !state.GigabytePages => reserved | PageSize,
            3 when large => reserved | 0x3FFF_E000,
            2 when large => reserved | 0x1F_E000,
            _ => reserved,
        };
    }

    /// <summary>Access rights (volume 3, access rights); non-zero when denied, with <see cref="FaultKey"/> where a protection key denies.</summary>
    private static uint Check(in PagingState state, PageAccess access, ulong permissions, bool noExecute, int key)
    {
        const uint Denied = 1;
        bool user = (access & PageAccess.User) != 0;
        bool write = (access & PageAccess.Write) != 0;
        bool execute = (access & PageAccess.Execute) != 0;
        bool userPage = (permissions & UserPage) != 0;
        if (user && !userPage || execute && noExecute)
        {
            return Denied;
        }

        if (write && (permissions & Writable) == 0 && (user || state.WriteProtect))
        {
            return Denied;
        }

        if (!user && userPage)
        {
            bool overridden = state.AlignmentCheck && (access & PageAccess.Implicit) == 0;
            if (execute ? state.Smep : state.Smap && !overridden)
            {
                return Denied;
            }
        }

        // Protection keys govern data accesses to user-mode addresses (volume 3, protection keys).
        if (state.ProtectionKeys && userPage && !execute)
        {
            uint rights = state.Pkru >> key * 2 & 3;
            bool writeDenied = write && (rights & 2) != 0 && (user || state.WriteProtect);
            if ((rights & 1) != 0 || writeDenied)
            {
                return Denied | FaultKey;
            }
        }

        return 0;
    }

    private static Translation Fault(in PagingState state, PageAccess access, uint cause)
    {
        uint code = cause
            | ((access & PageAccess.Write) != 0 ? FaultWrite : 0)
            | ((access & PageAccess.User) != 0 ? FaultUser : 0)
            | ((access & PageAccess.Execute) != 0 && (state.NoExecute || state.Smep) ? FaultFetch : 0);
        return new(TranslationStatus.PageFault, 0, code, 0);
    }

    private static bool SetAccessedAndDirty<TMemory>(ref TMemory memory, in WalkPath path, bool wide, bool write)
        where TMemory : struct, IPhysicalMemory
    {
        for (int i = 0; i < path.Count; i++)
        {
            ulong entry = path.Entry(i);
            ulong wanted = entry | (path.IsPdpte(i) ? 0 : Accessed) | (write && i == path.Count - 1 ? Dirty : 0);
            if (wanted == entry)
            {
                continue;
            }

            ref byte at = ref memory.Ram(path.Address(i), wide ? 8 : 4, write: true);
            if (Unsafe.IsNullRef(ref at))
            {
                // Page tables in read-only memory: the processor's update would be dropped by the platform.
                continue;
            }

            bool stored = wide
                ? Interlocked.CompareExchange(ref Unsafe.As<byte, ulong>(ref at), wanted, entry) == entry
                : Interlocked.CompareExchange(ref Unsafe.As<byte, uint>(ref at), (uint)wanted, (uint)entry) == (uint)entry;
            if (!stored)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The entries of one walk, at most five.</summary>
    private struct WalkPath
    {
        private Slots _addresses;
        private Slots _entries;
        private int _pdpte;

        internal int Count { get; private set; }

        internal void Add(ulong address, ulong entry, bool isPdpte)
        {
            _addresses[Count] = address;
            _entries[Count] = entry;
            Count++;
            _pdpte = isPdpte ? Count : _pdpte;
        }

        internal readonly ulong Address(int i) => _addresses[i];

        internal readonly ulong Entry(int i) => _entries[i];

        internal readonly bool IsPdpte(int i) => _pdpte == i + 1;

        [InlineArray(5)]
        private struct Slots
        {
            private ulong _element;
        }
    }
}
