// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Benchmarks.Tcg;

/// <summary>
/// A guest of loops whose instructions are known by number. One image for both sides: <c>vmm run --flat</c> enters it in 64-bit mode,
/// QEMU as a multiboot kernel in 32-bit mode, both at its first byte; from the same place on it does the same. Before each pass of a loop it
/// writes the loop's marker to COM1, at the end a full stop, and leaves by the debug-exit port.
/// </summary>
internal static partial class LoopGuest
{
    /// <summary>What the guest writes when all is done.</summary>
    internal const char End = '.';

    /// <summary>How often each loop is executed; the first passes find cold code.</summary>
    internal const int Passes = 10;

    private const uint LoadAddress = 0x10_0000;
    private const int HeaderOffset = 4;
    private const int StubOffset = 0x40;
    private const int TablesOffset = 0x1000;
    private const int DescriptorsOffset = 0x9000;
    private const int CodeOffset = 0xA000;
    private const uint FirstSpace = LoadAddress + TablesOffset;
    private const uint SecondSpace = FirstSpace + 0x4000;
    private const uint DescriptorRegister = LoadAddress + DescriptorsOffset + 0x40;

    /// <summary>Where the pages are that differ between the two address spaces.</summary>
    private const uint OwnPages = 0x40_0000;

    private const ushort KernelCode = 0x08;
    private const ushort KernelData = 0x10;
    private const ushort SyscallBase = 0x18;

    /// <summary>Makes the image.</summary>
    internal static byte[] Assemble()
    {
        byte[] image = new byte[CodeOffset];

        // In 32-bit mode 0x40 is INC EAX, in 64-bit mode a prefix of the NOP:
        // jmp to the stub ... xor eax,eax / inc eax / nop / test eax,eax / jz to the 64-bit code
        image[0] = 0xEB;
        image[1] = StubOffset - 2;
        WriteMultibootHeader(image.AsSpan(HeaderOffset));
        ReadOnlySpan<byte> probe = [0x31, 0xC0, 0x40, 0x90, 0x85, 0xC0, 0x0F, 0x84];
        probe.CopyTo(image.AsSpan(StubOffset));
        int behind = StubOffset + probe.Length + 4;
        BinaryPrimitives.WriteInt32LittleEndian(image.AsSpan(behind - 4), CodeOffset - behind);
        AssembleStub((uint)(LoadAddress + behind)).CopyTo(image.AsSpan(behind));
        WriteAddressSpace(image, TablesOffset, 0x60_0000);
        WriteAddressSpace(image, TablesOffset + 0x4000, 0x80_0000);
        WriteDescriptors(image.AsSpan(DescriptorsOffset));
        return [.. image, .. AssembleCode(LoadAddress + CodeOffset)];
    }

    private static void WriteMultibootHeader(Span<byte> header)
    {
        const uint Magic = 0x1BAD_B002;
        const uint HasAddresses = 1 << 16;
        ReadOnlySpan<uint> words =
            [Magic, HasAddresses, unchecked(0 - Magic - HasAddresses), LoadAddress + HeaderOffset, LoadAddress, 0, 0, LoadAddress];
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header[(i * 4)..], words[i]);
        }
    }

    /// <summary>Identity-mapped by global pages of 2 MiB, but for 2 MiB of small pages of its own. User mode may do everything.</summary>
    private static void WriteAddressSpace(byte[] image, int offset, uint ownMemory)
    {
        const uint Table = 7;
        const uint LargePage = 0x1E7;
        const uint OwnPage = 0x67;
        uint address = LoadAddress + (uint)offset;
        Write(offset, address + 0x1000 | Table);
        Write(offset + 0x1000, address + 0x2000 | Table);
        for (uint i = 0; i < 512; i++)
        {
            Write(offset + 0x2000 + (int)i * 8, i << 21 | LargePage);
            Write(offset + 0x3000 + (int)i * 8, ownMemory + (i << 12) | OwnPage);
        }

        Write(offset + 0x2000 + (int)(OwnPages >> 21) * 8, address + 0x3000 | Table);

        void Write(int at, uint entry) => BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at), entry);
    }

    /// <summary>Kernel's code and data, then what SYSRET expects: 32-bit code, data, 64-bit code; and the value for GDTR.</summary>
    private static void WriteDescriptors(Span<byte> descriptors)
    {
        ReadOnlySpan<ulong> table =
            [0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF, 0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF];
        for (int i = 0; i < table.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(descriptors[(i * 8)..], table[i]);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(descriptors[0x40..], (ushort)(table.Length * 8 - 1));
        BinaryPrimitives.WriteUInt64LittleEndian(descriptors[0x42..], LoadAddress + DescriptorsOffset);
    }

    /// <summary>From protected mode without paging to 64-bit code.</summary>
    private static byte[] AssembleStub(uint address)
    {
        const int PhysicalAddressExtension = 1 << 5;
        Assembler c = new(32);
        c.lgdt(__[DescriptorRegister]);
        c.mov(eax, PhysicalAddressExtension);
        c.mov(cr4, eax);
        c.mov(eax, FirstSpace);
        c.mov(cr3, eax);
        c.mov(ecx, EferIndex);
        c.xor(edx, edx);
        c.mov(eax, EferLongMode);
        c.wrmsr();
        c.mov(eax, cr0);
        c.or(eax, 1 << 31);
        c.mov(cr0, eax);
        c.jmp(KernelCode, LoadAddress + CodeOffset);
        return Bytes(c, address);
    }

    private static byte[] Bytes(Assembler c, ulong address)
    {
        using MemoryStream bytes = new();
        c.Assemble(new StreamCodeWriter(bytes), address);
        return bytes.ToArray();
    }
}
