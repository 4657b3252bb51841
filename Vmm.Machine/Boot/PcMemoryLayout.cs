// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>
/// Where a PC has its RAM: from zero up to the hole for PCI and chips below 4 GiB, and what did not fit there from 4 GiB
/// on. The legacy area of 640 KiB to 1 MiB takes its part of the first range. Immutable.
/// </summary>
public sealed class PcMemoryLayout
{
    /// <summary>Where the hole below 4 GiB begins unless said otherwise.</summary>
    public const ulong DefaultHoleBase = 0xc000_0000;

    /// <summary>Where RAM goes on above the hole, and the identity map's minimum extent.</summary>
    public const ulong FourGiB = 1ul << 32;

    /// <summary>The least memory a machine can have: the legacy area and one megabyte above it.</summary>
    public const ulong MinimumMemory = 2ul << 20;

    /// <summary>The most memory a machine can have: what 46 physical address bits reach.</summary>
    public const ulong MaximumMemory = 1ul << 45;

    /// <summary>Lays out a machine's memory.</summary>
    /// <param name="memorySize">
    /// RAM in bytes: a multiple of 4096, from <see cref="MinimumMemory"/> to <see cref="MaximumMemory"/>.
    /// </param>
    /// <param name="holeBase">
    /// Where the hole begins: a multiple of 2 MiB, from 16 MiB to 0xFEC00000, where the I/O APIC is.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range or not aligned.</exception>
    public PcMemoryLayout(ulong memorySize, ulong holeBase = DefaultHoleBase)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(memorySize, MinimumMemory);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(memorySize, MaximumMemory);
        ArgumentOutOfRangeException.ThrowIfNotEqual(memorySize % PageSize.Bytes, 0ul, nameof(memorySize));
        ArgumentOutOfRangeException.ThrowIfLessThan(holeBase, 16ul << 20);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(holeBase, 0xfec0_0000ul);
        ArgumentOutOfRangeException.ThrowIfNotEqual(holeBase % (2ul << 20), 0ul, nameof(holeBase));
        MemorySize = memorySize;
        HoleBase = holeBase;
        LowRamEnd = Math.Min(memorySize, holeBase);
        HighRamEnd = FourGiB + (memorySize - LowRamEnd);
    }

    /// <summary>All RAM in bytes.</summary>
    public ulong MemorySize { get; }

    /// <summary>First address of the hole below 4 GiB.</summary>
    public ulong HoleBase { get; }

    /// <summary>First address behind the RAM below the hole.</summary>
    public ulong LowRamEnd { get; }

    /// <summary>First address behind the RAM above 4 GiB; 4 GiB when there is none.</summary>
    public ulong HighRamEnd { get; }

    /// <summary>Bytes of RAM above 4 GiB.</summary>
    public ulong HighRamSize => HighRamEnd - FourGiB;

    /// <summary>Whether every byte of a range is RAM that no legacy device covers.</summary>
    /// <param name="address">First address.</param>
    /// <param name="length">Length in bytes; an empty range is RAM where its address is.</param>
    public bool IsRam(GuestPhysicalAddress address, ulong length)
    {
        ulong size = Math.Max(length, 1);
        if (size - 1 > ulong.MaxValue - address.Value)
        {
            return false;
        }

        ulong last = address.Value + (size - 1);
        return last < BootAddresses.VideoMemory
            || (address.Value >= BootAddresses.HighMemory && last < LowRamEnd)
            || (address.Value >= FourGiB && last < HighRamEnd);
    }

    /// <summary>
    /// The firmware memory map of this layout: base memory without the extended BIOS data area, the BIOS area reserved,
    /// RAM up to the hole, the chips' area below 4 GiB reserved, RAM above. The board carves its own ranges out of it.
    /// </summary>
    public E820Map CreateE820()
    {
        E820Map map = new();
        map.Set(new(0), BootAddresses.ExtendedBiosData, E820Type.Ram);
        map.Set(new(BootAddresses.ExtendedBiosData), BootAddresses.VideoMemory - BootAddresses.ExtendedBiosData, E820Type.Reserved);
        map.Set(new(BootAddresses.BiosArea), BootAddresses.HighMemory - BootAddresses.BiosArea, E820Type.Reserved);
        map.Set(new(BootAddresses.HighMemory), LowRamEnd - BootAddresses.HighMemory, E820Type.Ram);
        map.Set(new(BootAddresses.ChipArea), FourGiB - BootAddresses.ChipArea, E820Type.Reserved);
        if (HighRamSize > 0)
        {
            map.Set(new(FourGiB), HighRamSize, E820Type.Ram);
        }

        return map;
    }
}
