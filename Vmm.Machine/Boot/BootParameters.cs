// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>
/// The 4096 bytes of boot_params, the "zero page", written field by field. Offsets from
/// Documentation/arch/x86/zero-page.rst and, for the part from 0x1f1 on, Documentation/arch/x86/boot.rst.
/// </summary>
public sealed class BootParameters
{
    /// <summary>Size of the structure in bytes.</summary>
    public const int Size = 4096;

    private const int AcpiRsdpField = 0x070;
    private const int ExtendedRamdiskImage = 0x0c0;
    private const int ExtendedRamdiskSize = 0x0c4;
    private const int ExtendedCommandLine = 0x0c8;
    private const int E820Count = 0x1e8;
    private const int BootFlag = 0x1fe;
    private const int Magic = 0x202;
    private const int Version = 0x206;
    private const int TypeOfLoaderField = 0x210;
    private const int LoadFlags = 0x211;
    private const int RamdiskImage = 0x218;
    private const int RamdiskSize = 0x21c;
    private const int CommandLinePointer = 0x228;
    private const int InitrdAddressMaximum = 0x22c;
    private const int KernelAlignment = 0x230;
    private const int ExtendedLoadFlags = 0x236;
    private const int CommandLineSizeField = 0x238;
    private const int E820Table = 0x2d0;
    private const int E820EntrySize = 20;

    // A vmlinux has no setup header. The kernel asks of it only that the version is not zero; these are the values of a
    // bzImage of protocol 2.15: loaded high, 64-bit entry, 2 GiB less one for the initrd, 2047 characters.
    private const ushort SyntheticVersion = 0x020f;
    private const byte LoadedHigh = 0x01;
    private const ushort Kernel64 = 0x0001;
    private const uint SyntheticAlignment = 0x20_0000;

    private readonly byte[] _page = new byte[Size];

    /// <summary>Highest initrd address of a kernel that comes without a setup header.</summary>
    public const uint DefaultInitrdAddressMaximum = 0x7fff_ffff;

    /// <summary>Longest command line of a kernel that comes without a setup header, without its terminating zero.</summary>
    public const uint DefaultCommandLineSize = 2047;

    /// <summary>The structure as it stands.</summary>
    public ReadOnlyMemory<byte> Bytes => _page;

    /// <summary>type_of_loader; 0xff stands for a loader without an assigned number.</summary>
    public byte TypeOfLoader
    {
        get => _page[TypeOfLoaderField];
        set => _page[TypeOfLoaderField] = value;
    }

    /// <summary>acpi_rsdp_addr: where the ACPI root pointer is; zero lets the kernel search the BIOS area.</summary>
    public GuestPhysicalAddress AcpiRsdp
    {
        get => new(BinaryPrimitives.ReadUInt64LittleEndian(_page.AsSpan(AcpiRsdpField)));
        set => BinaryPrimitives.WriteUInt64LittleEndian(_page.AsSpan(AcpiRsdpField), value.Value);
    }

    /// <summary>Copies the setup header of a bzImage, as the protocol asks before any other field is set.</summary>
    /// <param name="header">The header.</param>
    public void SetHeader(SetupHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        header.Bytes.Span.CopyTo(_page.AsSpan(SetupHeader.Start));
        _page[LoadFlags] |= LoadedHigh;
    }

    /// <summary>Fills in the header that a kernel without one is given.</summary>
    public void SetSyntheticHeader()
    {
        Write16(BootFlag, 0xaa55);
        "HdrS"u8.CopyTo(_page.AsSpan(Magic));
        Write16(Version, SyntheticVersion);
        _page[LoadFlags] = LoadedHigh;
        Write16(ExtendedLoadFlags, Kernel64);
        Write32(InitrdAddressMaximum, DefaultInitrdAddressMaximum);
        Write32(KernelAlignment, SyntheticAlignment);
        Write32(CommandLineSizeField, DefaultCommandLineSize);
    }

    /// <summary>Sets ramdisk_image and ramdisk_size with their upper halves.</summary>
    /// <param name="address">Where the initial RAM disk is.</param>
    /// <param name="size">Its size in bytes.</param>
    public void SetRamdisk(GuestPhysicalAddress address, ulong size)
    {
        WriteSplit(RamdiskImage, ExtendedRamdiskImage, address.Value);
        WriteSplit(RamdiskSize, ExtendedRamdiskSize, size);
    }

    /// <summary>Sets cmd_line_ptr with its upper half.</summary>
    /// <param name="address">Where the command line is.</param>
    public void SetCommandLine(GuestPhysicalAddress address) =>
        WriteSplit(CommandLinePointer, ExtendedCommandLine, address.Value);

    /// <summary>Writes the firmware memory map.</summary>
    /// <param name="map">The map.</param>
    /// <exception cref="ArgumentException">It has more than <see cref="E820Map.MaximumBootEntries"/> entries.</exception>
    public void SetMemoryMap(E820Map map)
    {
        ArgumentNullException.ThrowIfNull(map);
        if (map.Entries.Count > E820Map.MaximumBootEntries)
        {
            throw new ArgumentException($"The table in boot_params holds {E820Map.MaximumBootEntries} entries.", nameof(map));
        }

        _page[E820Count] = (byte)map.Entries.Count;
        Span<byte> table = _page.AsSpan(E820Table, E820Map.MaximumBootEntries * E820EntrySize);
        table.Clear();
        foreach (E820Entry entry in map.Entries)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(table, entry.Base.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(table[8..], entry.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(table[16..], (uint)entry.Type);
            table = table[E820EntrySize..];
        }
    }

    private void WriteSplit(int low, int high, ulong value)
    {
        Write32(low, (uint)value);
        Write32(high, (uint)(value >> 32));
    }

    private void Write16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(offset), value);

    private void Write32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(offset), value);
}
