// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Machine.Boot;

/// <summary>
/// Builds the tables of the ACPI specification, version 6.0, chapter 5, from which an operating system learns a PC's processors,
/// interrupt wiring, timers and power control: RSDP, XSDT, FADT, FACS, MADT, HPET and a small DSDT.
/// </summary>
public static partial class AcpiTables
{
    /// <summary>Where an operating system starts to search the root pointer (ACPI specification, 5.2.5.1).</summary>
    public const ulong DefaultAddress = 0xe_0000;

    /// <summary>Processors that can be described; far beyond what a guest of this engine has.</summary>
    public const int MaximumProcessors = 4096;

    private const int RootPointerSize = 36;
    private const int RootPointerPart = 20;
    private const int HeaderSize = 36;
    private const int Alignment = 64;
    private const int IsaInterrupts = 16;

    /// <summary>Builds the tables. The first bytes are the root pointer (RSDP).</summary>
    /// <param name="options">The machine.</param>
    /// <param name="address">
    /// Where the bytes will be: a multiple of 16, below 4 GiB. An operating system that is not told finds it only from
    /// <see cref="DefaultAddress"/> to 1 MiB.
    /// </param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentException">The options or the address are out of range.</exception>
    public static byte[] Build(AcpiOptions options, GuestPhysicalAddress address)
    {
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        if (address.Value % 16 != 0 || address.Value > uint.MaxValue)
        {
            throw new ArgumentException($"{address} is not a multiple of 16 below 4 GiB.", nameof(address));
        }

        var image = new Image(address.Value);
        image.Append(new byte[RootPointerSize]);
        uint facs = image.Append(Facs());
        uint dsdt = image.Append(Dsdt(options));
        List<uint> tables = [image.Append(Fadt(options, facs, dsdt)), image.Append(Madt(options))];
        if (options.Hpet is { } hpet)
        {
            tables.Add(image.Append(Hpet(options, (uint)hpet.Value)));
        }

        uint root = image.Append(Xsdt(tables));
        byte[] bytes = image.ToArray();
        if (address.Value + (ulong)bytes.Length > 1UL << 32)
        {
            throw new ArgumentException($"{bytes.Length} bytes at {address} reach past 4 GiB.", nameof(address));
        }

        WriteRootPointer(bytes.AsSpan(0, RootPointerSize), root);
        return bytes;
    }

    /// <summary>Builds the tables and writes them, to <see cref="DefaultAddress"/> by default.</summary>
    /// <param name="memory">The machine's memory; the guest must be able to write there, as it takes locks in the FACS.</param>
    /// <param name="options">The machine.</param>
    /// <param name="address">Where; null stands for the default.</param>
    /// <returns>The address of the root pointer, for the boot parameters.</returns>
    /// <exception cref="ArgumentException">The options or the address are out of range.</exception>
    /// <exception cref="InvalidOperationException">There is no writable memory.</exception>
    public static GuestPhysicalAddress Write(IGuestMemory memory, AcpiOptions options, GuestPhysicalAddress? address = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        GuestPhysicalAddress target = address ?? new(DefaultAddress);
        byte[] bytes = Build(options, target);
        if (!memory.TryWrite(target, bytes))
        {
            throw new InvalidOperationException($"Guest memory refused the ACPI tables' {bytes.Length} bytes at {target}.");
        }

        return target;
    }

    private static void Check(AcpiOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Processors, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Processors, MaximumProcessors, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(options.SystemControlInterrupt, IsaInterrupts, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.PowerOffType, 7, nameof(options));
        if (options.LocalApic.Value > uint.MaxValue || options.IoApic.Value > uint.MaxValue || options.Hpet?.Value > uint.MaxValue)
        {
            throw new ArgumentException("The chips' addresses have 32 bits.", nameof(options));
        }
    }

    private static byte[] Table(ReadOnlySpan<byte> signature, byte revision, ReadOnlySpan<byte> content)
    {
        byte[] table = new byte[HeaderSize + content.Length];
        signature.CopyTo(table);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(4), (uint)table.Length);
        table[8] = revision;
        "VMM   "u8.CopyTo(table.AsSpan(10));
        "VMMPC   "u8.CopyTo(table.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(24), 1);
        "VMM "u8.CopyTo(table.AsSpan(28));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(32), 1);
        content.CopyTo(table.AsSpan(HeaderSize));
        table[9] = Complement(table);
        return table;
    }

    private static byte[] Xsdt(List<uint> tables)
    {
        byte[] content = new byte[tables.Count * sizeof(ulong)];
        for (int index = 0; index < tables.Count; index++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(index * sizeof(ulong)), tables[index]);
        }

        return Table("XSDT"u8, 1, content);
    }

    private static void WriteRootPointer(Span<byte> pointer, uint root)
    {
        "RSD PTR "u8.CopyTo(pointer);
        "VMM   "u8.CopyTo(pointer[9..]);
        pointer[15] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(pointer[20..], RootPointerSize);
        BinaryPrimitives.WriteUInt64LittleEndian(pointer[24..], root);
        pointer[8] = Complement(pointer[..RootPointerPart]);
        pointer[32] = Complement(pointer);
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

    // Tables one behind the other, each at a multiple of 64 as the FACS demands.
    private sealed class Image(ulong address)
    {
        private readonly List<byte> _bytes = [];

        public uint Append(byte[] table)
        {
            while (_bytes.Count > 0 && (address + (ulong)_bytes.Count) % Alignment != 0)
            {
                _bytes.Add(0);
            }

            ulong place = address + (ulong)_bytes.Count;
            _bytes.AddRange(table);
            return (uint)place;
        }

        public byte[] ToArray() => [.. _bytes];
    }
}
