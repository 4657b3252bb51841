// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Globalization;
using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>
/// An ELF64 executable for x86-64 as far as a loader needs it: its loadable segments and its entry (System V ABI, "ELF
/// Header" and "Program Header"). Immutable; the segments are windows on the image.
/// </summary>
public sealed class ElfImage
{
    // Field offsets in the ELF64 header and in a program header.
    private const int HeaderSize = 64;
    private const int ClassField = 4;
    private const int DataField = 5;
    private const int TypeField = 0x10;
    private const int MachineField = 0x12;
    private const int EntryField = 0x18;
    private const int ProgramHeadersField = 0x20;
    private const int ProgramHeaderSizeField = 0x36;
    private const int ProgramHeaderCountField = 0x38;
    private const int ProgramHeaderSize = 56;

    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort TypeExecutable = 2;
    private const ushort TypeShared = 3;
    private const ushort MachineX64 = 62;
    private const uint SegmentLoad = 1;

    // A kernel has about five; the bound keeps a mangled header from costing time.
    private const int MaximumProgramHeaders = 128;

    private const string Damaged = "The image is truncated or mangled: copy or build it again";

    private ElfImage(GuestPhysicalAddress entry, IReadOnlyList<ElfSegment> segments)
    {
        Entry = entry;
        Segments = segments;
    }

    /// <summary>Physical address of the entry.</summary>
    public GuestPhysicalAddress Entry { get; }

    /// <summary>The loadable segments that occupy memory, in the order of the file.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; }

    /// <summary>First address behind the segment that ends last.</summary>
    public GuestPhysicalAddress End => new(Segments.Max(static segment => segment.Address.Value + segment.MemorySize));

    /// <summary>Whether bytes begin like an ELF file.</summary>
    /// <param name="image">Any bytes.</param>
    public static bool IsElf(ReadOnlySpan<byte> image) => image.StartsWith("\u007fELF"u8);

    /// <summary>Reads and checks the headers. What the segments need of memory is checked when they are placed.</summary>
    /// <param name="image">The whole file; it must not change while the result is in use.</param>
    /// <exception cref="BootImageException">It is not such an executable, or it is truncated or mangled.</exception>
    public static ElfImage Parse(ReadOnlyMemory<byte> image)
    {
        ReadOnlySpan<byte> file = image.Span;
        CheckIdentity(file);
        ulong tableOffset = BinaryPrimitives.ReadUInt64LittleEndian(file[ProgramHeadersField..]);
        ushort entrySize = BinaryPrimitives.ReadUInt16LittleEndian(file[ProgramHeaderSizeField..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(file[ProgramHeaderCountField..]);
        Require(entrySize == ProgramHeaderSize, ProgramHeaderSizeField, "e_phentsize", $"{entrySize} bytes instead of {ProgramHeaderSize}");
        Require(count is > 0 and <= MaximumProgramHeaders, ProgramHeaderCountField, "e_phnum", $"{count} program headers; 1 to {MaximumProgramHeaders} are supported");
        Require(
            IsInside(tableOffset, (ulong)count * ProgramHeaderSize, file.Length),
            ProgramHeadersField, "e_phoff", $"{count} program headers at 0x{tableOffset:x} reach past the end of the file at 0x{file.Length:x}");

        List<ElfSegment> segments = [];
        for (int index = 0; index < count; index++)
        {
            AddSegment(segments, image, (int)tableOffset + (index * ProgramHeaderSize));
        }

        Require(segments.Count > 0, ProgramHeadersField, "e_phoff", $"none of the {count} program headers is PT_LOAD");
        ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(file[EntryField..]);
        return new ElfImage(FindEntry(segments, entry), segments);
    }

    private static void CheckIdentity(ReadOnlySpan<byte> file)
    {
        Require(IsElf(file), 0, "e_ident", $"not an ELF file");
        Require(file.Length >= HeaderSize, file.Length, "ELF header", $"the file ends after {file.Length} bytes of {HeaderSize}");
        Require(file[ClassField] == Class64, ClassField, "e_ident[EI_CLASS]", $"class {file[ClassField]}; only 64-bit kernels (2) are supported");
        Require(file[DataField] == LittleEndian, DataField, "e_ident[EI_DATA]", $"encoding {file[DataField]} instead of little-endian (1)");
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(file[TypeField..]);
        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(file[MachineField..]);
        Require(type is TypeExecutable or TypeShared, TypeField, "e_type", $"type {type} is not an executable (2 or 3)");
        Require(machine == MachineX64, MachineField, "e_machine", $"machine {machine} is not x86-64 ({MachineX64})");
    }

    private static void AddSegment(List<ElfSegment> segments, ReadOnlyMemory<byte> image, int header)
    {
        ReadOnlySpan<byte> fields = image.Span.Slice(header, ProgramHeaderSize);
        ulong memorySize = BinaryPrimitives.ReadUInt64LittleEndian(fields[0x28..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(fields) != SegmentLoad || memorySize == 0)
        {
            return;
        }

        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(fields[0x08..]);
        ulong linear = BinaryPrimitives.ReadUInt64LittleEndian(fields[0x10..]);
        ulong physical = BinaryPrimitives.ReadUInt64LittleEndian(fields[0x18..]);
        ulong fileSize = BinaryPrimitives.ReadUInt64LittleEndian(fields[0x20..]);
        Require(
            IsInside(offset, fileSize, image.Length), header + 0x20, "p_filesz",
            $"segment data 0x{offset:x} + 0x{fileSize:x} reach past the end of the file at 0x{image.Length:x}");
        Require(memorySize >= fileSize, header + 0x28, "p_memsz", $"0x{memorySize:x} is less than p_filesz 0x{fileSize:x}");
        Require(
            memorySize - 1 <= ulong.MaxValue - physical, header + 0x18, "p_paddr",
            $"0x{physical:x} + 0x{memorySize:x} wraps around the address space");
        segments.Add(new(header, new(physical), new(linear), image.Slice((int)offset, (int)fileSize), memorySize));
    }

    // A vmlinux names its entry by physical address; other kernels name it by the address they are linked at.
    private static GuestPhysicalAddress FindEntry(List<ElfSegment> segments, ulong entry)
    {
        foreach (ElfSegment segment in segments)
        {
            if (entry - segment.Address.Value < segment.MemorySize)
            {
                return new(entry);
            }
        }

        foreach (ElfSegment segment in segments)
        {
            ulong distance = entry - segment.LinearAddress.Value;
            if (distance < segment.MemorySize)
            {
                return new(segment.Address.Value + distance);
            }
        }

        throw Refuse(EntryField, "e_entry", $"0x{entry:x} lies in no loadable segment");
    }

    private static bool IsInside(ulong offset, ulong length, int size) =>
        offset <= (ulong)size && length <= (ulong)size - offset;

    private static void Require(bool condition, long offset, string field, FormattableString problem)
    {
        if (!condition)
        {
            throw Refuse(offset, field, problem);
        }
    }

    private static BootImageException Refuse(long offset, string field, FormattableString problem) =>
        new(BootImageKind.Elf, offset, field, problem.ToString(CultureInfo.InvariantCulture), Damaged);
}
