// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Registers;

namespace Vmm.Machine.Boot;

/// <summary>
/// Page tables, descriptor table and control registers of the state in which the 64-bit boot protocol enters a kernel
/// (Documentation/arch/x86/boot.rst, "64-bit Boot Protocol").
/// </summary>
internal static class BootCpu
{
    /// <summary>__BOOT_CS.</summary>
    internal const ushort CodeSelector = 0x10;

    /// <summary>__BOOT_DS.</summary>
    internal const ushort DataSelector = 0x18;

    private const ulong OneGiB = 1ul << 30;
    private const ulong TwoMiB = 2ul << 20;

    // The tables lie in base memory; the protocol asks only for the kernel, boot_params and the command line to be mapped.
    private const ulong MaximumMapped = 64 * OneGiB;

    // Present, writable; and page size in a page-directory entry (Intel SDM volume 3, 4-level paging and 5-level paging).
    private const ulong Table = 0x3;
    private const ulong LargePage = 0x83;

    private const int EntriesPerTable = 512;

    // CR0: PE, ET, NE, PG.
    private const ulong Cr0Long = 0x8000_0031;
    private const ulong Cr4Pae = 1ul << 5;
    private const ulong EferLongActive = (1ul << 8) | (1ul << 10);

    /// <summary>How much of physical memory the identity map of <see cref="PageTables"/> covers, in bytes.</summary>
    internal static ulong MappedSize(PcMemoryLayout layout)
    {
        ulong wanted = Math.Max(layout.HighRamEnd, PcMemoryLayout.FourGiB);
        return Math.Min((wanted + OneGiB - 1) / OneGiB * OneGiB, MaximumMapped);
    }

    /// <summary>Four-level tables that map physical memory to itself with 2 MiB pages; the root is the first page.</summary>
    internal static byte[] PageTables(PcMemoryLayout layout)
    {
        int directories = (int)(MappedSize(layout) / OneGiB);
        byte[] tables = new byte[(2 + directories) * (int)PageSize.Bytes];
        ulong address = BootAddresses.PageTables;
        SetEntry(tables, table: 0, index: 0, (address + PageSize.Bytes) | Table);
        for (int directory = 0; directory < directories; directory++)
        {
            ulong page = address + ((ulong)(2 + directory) * PageSize.Bytes);
            SetEntry(tables, table: 1, directory, page | Table);
            for (int index = 0; index < EntriesPerTable; index++)
            {
                ulong mapped = ((ulong)directory * OneGiB) + ((ulong)index * TwoMiB);
                SetEntry(tables, 2 + directory, index, mapped | LargePage);
            }
        }

        return tables;
    }

    /// <summary>The descriptor table: two empty entries, __BOOT_CS and __BOOT_DS.</summary>
    internal static byte[] DescriptorTable()
    {
        byte[] table = new byte[4 * sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(CodeSelector), Descriptor(BootSegment.LongCode(CodeSelector)));
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(DataSelector), Descriptor(BootSegment.Data(DataSelector)));
        return table;
    }

    /// <summary>Plans tables and stack of a long-mode entry.</summary>
    internal static void Plan(BootPlan plan, PcMemoryLayout layout, BootOrigin origin)
    {
        byte[] descriptors = DescriptorTable();
        byte[] tables = PageTables(layout);
        plan.Reserve(new("stack", new(BootAddresses.StackTop - PageSize.Bytes), PageSize.Bytes), ReadOnlyMemory<byte>.Empty, origin);
        plan.Add(new("descriptor table", new(BootAddresses.Gdt), (ulong)descriptors.Length), descriptors, origin);
        plan.Add(new("page tables", new(BootAddresses.PageTables), (ulong)tables.Length), tables, origin);
    }

    /// <summary>The state of a long-mode entry over the tables that <see cref="Plan"/> places.</summary>
    internal static BootState LongMode(ulong entry, ulong rsi) => new()
    {
        Rip = entry,
        Rsp = BootAddresses.StackTop,
        Rsi = rsi,
        Cr0 = Cr0Long,
        Cr3 = BootAddresses.PageTables,
        Cr4 = Cr4Pae,
        Efer = EferLongActive,
        Cs = BootSegment.LongCode(CodeSelector),
        Ds = BootSegment.Data(DataSelector),
        Es = BootSegment.Data(DataSelector),
        Fs = BootSegment.Data(DataSelector),
        Gs = BootSegment.Data(DataSelector),
        Ss = BootSegment.Data(DataSelector),
        Gdtr = new(new(BootAddresses.Gdt), (4 * sizeof(ulong)) - 1),
        Idtr = new(new(0), 0),
    };

    // Intel SDM volume 3, segment descriptors: limit 0-15, base 0-23, access byte, limit 16-19, flags, base 24-31.
    private static ulong Descriptor(BootSegment segment)
    {
        (ulong linearBase, uint scaledLimit, SegmentAccess access) = segment.Descriptor;
        ulong limit = access.IsPageGranular ? scaledLimit >> 12 : scaledLimit;
        return (limit & 0xffff)
            | ((linearBase & 0xff_ffff) << 16)
            | ((ulong)(access.Value & 0xff) << 40)
            | (((limit >> 16) & 0xf) << 48)
            | ((ulong)((access.Value >> 12) & 0xf) << 52)
            | (((linearBase >> 24) & 0xff) << 56);
    }

    private static void SetEntry(byte[] tables, int table, int index, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(
            tables.AsSpan((table * (int)PageSize.Bytes) + (index * sizeof(ulong))), value);
}
