// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Machine.Boot;

/// <summary>
/// Writes the tables of the Intel MultiProcessor Specification, version 1.4, chapter 4, from which an operating system
/// without ACPI learns its processors, its I/O APIC and the wiring of the ISA interrupts. (A Linux kernel reads them only
/// if it was built with CONFIG_X86_MPPARSE.)
/// </summary>
public static class MpTable
{
    /// <summary>APIC ID 255 is the broadcast and the I/O APIC needs one of its own.</summary>
    public const int MaximumProcessors = 254;

    private const int PointerSize = 16;
    private const int HeaderSize = 44;
    private const int ProcessorSize = 20;
    private const int EntrySize = 8;
    private const int IsaInterrupts = 16;
    private const int CascadeInterrupt = 2;
    private const byte SpecificationRevision = 4;
    private const byte AllLocalApics = 0xff;
    private const byte LocalApicVersion = 0x14;
    private const byte IoApicVersion = 0x11;

    private const byte Enabled = 1;
    private const byte BootProcessor = 2;

    private enum EntryType : byte
    {
        Processor,
        Bus,
        IoApic,
        IoInterrupt,
        LocalInterrupt,
    }

    private enum InterruptType : byte
    {
        Vectored,
        NonMaskable,
        SystemManagement,
        ExternalController,
    }

    /// <summary>Builds the floating pointer and, right behind it, the configuration table.</summary>
    /// <param name="options">The machine.</param>
    /// <param name="address">Where the bytes will be: a multiple of 16 below 1 MiB that they do not reach beyond.</param>
    /// <exception cref="ArgumentException">The options or the address are out of range.</exception>
    public static byte[] Build(MpTableOptions options, GuestPhysicalAddress address)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Processors, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Processors, MaximumProcessors);
        if (options.LocalApic.Value > uint.MaxValue || options.IoApic.Value > uint.MaxValue)
        {
            throw new ArgumentException("The table holds 32-bit addresses only.", nameof(options));
        }

        // One bus, one I/O APIC, every ISA interrupt but the cascade, and the two local inputs.
        int entries = 2 + (IsaInterrupts - 1) + 2;
        byte[] bytes = new byte[PointerSize + HeaderSize + (options.Processors * ProcessorSize) + (entries * EntrySize)];
        if (address.Value % PointerSize != 0 || address.Value > BootAddresses.HighMemory - (ulong)bytes.Length)
        {
            throw new ArgumentException($"{bytes.Length} bytes at {address} are not aligned to 16 or reach past 1 MiB.", nameof(address));
        }

        Span<byte> table = bytes.AsSpan(PointerSize);
        Span<byte> rest = table[HeaderSize..];
        rest = WriteProcessors(rest, options);
        WriteWiring(rest, options);
        WriteHeader(table, options, options.Processors + entries);
        WritePointer(bytes.AsSpan(0, PointerSize), (uint)address.Value + PointerSize);
        return bytes;
    }

    /// <summary>Builds the tables and writes them, into the BIOS area by default.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="options">The machine.</param>
    /// <param name="address">Where; null stands for <see cref="BootAddresses.BiosArea"/>.</param>
    /// <exception cref="ArgumentException">The options or the address are out of range.</exception>
    /// <exception cref="InvalidOperationException">There is no writable memory.</exception>
    public static void Write(IGuestMemory memory, MpTableOptions options, GuestPhysicalAddress? address = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        GuestPhysicalAddress target = address ?? new(BootAddresses.BiosArea);
        byte[] bytes = Build(options, target);
        if (!memory.TryWrite(target, bytes))
        {
            throw new InvalidOperationException($"Guest memory refused the MP table's {bytes.Length} bytes at {target}.");
        }
    }

    private static Span<byte> WriteProcessors(Span<byte> rest, MpTableOptions options)
    {
        for (int cpu = 0; cpu < options.Processors; cpu++)
        {
            rest[0] = (byte)EntryType.Processor;
            rest[1] = (byte)cpu;
            rest[2] = LocalApicVersion;
            rest[3] = (byte)(cpu == 0 ? Enabled | BootProcessor : Enabled);
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], options.Signature);
            BinaryPrimitives.WriteUInt32LittleEndian(rest[8..], options.Features);
            rest = rest[ProcessorSize..];
        }

        return rest;
    }

    private static void WriteWiring(Span<byte> rest, MpTableOptions options)
    {
        byte ioApic = (byte)options.Processors;
        rest[0] = (byte)EntryType.Bus;
        "ISA   "u8.CopyTo(rest[2..]);
        rest = rest[EntrySize..];
        rest[0] = (byte)EntryType.IoApic;
        rest[1] = ioApic;
        rest[2] = IoApicVersion;
        rest[3] = Enabled;
        BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], (uint)options.IoApic.Value);
        rest = rest[EntrySize..];
        for (byte interrupt = 0; interrupt < IsaInterrupts; interrupt++)
        {
            if (interrupt != CascadeInterrupt)
            {
                byte input = interrupt == 0 ? options.TimerInput : interrupt;
                rest = WriteInterrupt(rest, EntryType.IoInterrupt, InterruptType.Vectored, interrupt, ioApic, input);
            }
        }

        rest = WriteInterrupt(rest, EntryType.LocalInterrupt, InterruptType.ExternalController, 0, AllLocalApics, 0);
        WriteInterrupt(rest, EntryType.LocalInterrupt, InterruptType.NonMaskable, 0, AllLocalApics, 1);
    }

    private static Span<byte> WriteInterrupt(
        Span<byte> rest, EntryType entry, InterruptType type, byte source, byte destination, byte input)
    {
        // Polarity and trigger mode stay zero: as the bus specifies. Bus 0 is the only one.
        rest[0] = (byte)entry;
        rest[1] = (byte)type;
        rest[5] = source;
        rest[6] = destination;
        rest[7] = input;
        return rest[EntrySize..];
    }

    private static void WriteHeader(Span<byte> table, MpTableOptions options, int entries)
    {
        "PCMP"u8.CopyTo(table);
        BinaryPrimitives.WriteUInt16LittleEndian(table[4..], (ushort)table.Length);
        table[6] = SpecificationRevision;
        "VMM     "u8.CopyTo(table[8..]);
        "PC          "u8.CopyTo(table[16..]);
        BinaryPrimitives.WriteUInt16LittleEndian(table[34..], (ushort)entries);
        BinaryPrimitives.WriteUInt32LittleEndian(table[36..], (uint)options.LocalApic.Value);
        table[7] = Complement(table);
    }

    private static void WritePointer(Span<byte> pointer, uint table)
    {
        "_MP_"u8.CopyTo(pointer);
        BinaryPrimitives.WriteUInt32LittleEndian(pointer[4..], table);
        pointer[8] = 1;
        pointer[9] = SpecificationRevision;
        pointer[10] = Complement(pointer);
    }

    // All bytes of a table add up to zero; the checksum's own byte is still zero here.
    private static byte Complement(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return (byte)-sum;
    }
}
