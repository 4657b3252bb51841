// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// The memory and the system registers that both sides of an oracle start from. The code pages and the handlers are filled with
/// <c>E6 E6</c> (<c>out 0xE6, al</c>), which leaves the guest from wherever execution goes, at any alignment.
/// </summary>
/// <remarks>
/// Linear addresses are physical ones. 0 interrupt vectors of real mode (not mapped with paging), 0x1000 to 0x4FFF page tables,
/// 0x5000 GDT and TSS, 0x6000 IDTs, 0x7000 handlers, 0x8000 stack of the kernel, 0xA000 to 0xCFFF code,
/// 0x20000 to 0x21FFF data, 0x22000 not mapped, 0x23000 read-only, 0x24000 of the kernel.
/// </remarks>
internal static class OracleLayout
{
    internal const int Size = 0x26000;
    internal const byte Port = 0xE6;
    internal const int Handlers = 0x7000;
    internal const int KernelStack = 0x8F00;
    internal const int Code = 0xA000;
    internal const int CodeEnd = 0xD000;
    internal const int Data = 0x20000;
    internal const int DataEnd = 0x22000;
    internal const int ReadOnlyPage = 0x23000;
    internal const int KernelPage = 0x24000;

    /// <summary>The last byte of the descriptor table; the selectors below lie in it.</summary>
    internal const ushort GdtLimit = 0xAF;
    internal const ushort UserCode = 0x33;
    internal const ushort UserData = 0x2B;

    private const int Gdt = 0x5000;
    private const int Tss = 0x5800;
    private const int Ldt = 0x5E00;
    private const int Idt64 = 0x6000;
    private const int Idt32 = 0x6800;
    private const ushort KernelCode32 = 0x08;
    private const ushort KernelCode64 = 0x10;
    private const ushort KernelData = 0x18;
    private const ushort KernelCode16 = 0x38;
    private const ushort TaskState = 0x40;
    private const ushort Data16 = 0x88;

    /// <summary>Builds the memory.</summary>
    internal static byte[] CreateMemory(OracleMode mode)
    {
        byte[] memory = new byte[Size];
        BuildPages(memory);
        BuildDescriptors(memory);
        for (int vector = 0; vector < 32; vector++)
        {
            ulong handler = (ulong)Handlers + (ulong)vector * 16;
            ushort selector = mode.Is64() ? KernelCode64 : mode == OracleMode.Protected32 ? KernelCode32 : KernelCode16;
            ulong gate = handler & 0xFFFF | (ulong)selector << 16 | 0x8EUL << 40;
            Write64(memory, Idt64 + vector * 16, gate);
            Write64(memory, Idt32 + vector * 8, gate);
            if (mode == OracleMode.Real)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(memory.AsSpan(vector * 4), (uint)handler);
            }
        }

        memory.AsSpan(Handlers, 32 * 16).Fill(Port);
        memory.AsSpan(Code, CodeEnd - Code).Fill(Port);
        return memory;
    }

    /// <summary>Sets everything but the general registers, RIP, RFLAGS and the vector state.</summary>
    internal static void Enter(CpuState state, OracleMode mode)
    {
        bool user = mode == OracleMode.User64;
        state.Cr2 = 0;
        state.Cr3 = 0x1000;
        state.Cr8 = 0;
        state.Shadow = InterruptShadow.None;
        state.Halted = false;
        state.Pkru = 0;
        state.Xss = 0;
        state.Xcr0 = 0xE7;
        state.Dr6 = 0xFFFF_0FF0;
        state.Dr7 = 0x400;
        (state.Cr0, state.Cr4, state.Efer) = mode switch
        {
            OracleMode.User64 or OracleMode.Kernel64 => (0x8005_0033ul, 0x5_06A0ul, 0xD01ul),
            OracleMode.Real => (0x30ul, 0x5_0620ul, 0ul),
            _ => (0x31ul, 0x5_0620ul, 0ul),
        };
        state.Gdtr = new(Gdt, GdtLimit);
        state.Idtr = mode switch
        {
            OracleMode.Real => new(0, 0x3FF),
            _ when mode.Is64() => new(Idt64, 0x1FF),
            _ => new(Idt32, 0xFF),
        };
        SegmentState unusable = new() { Access = 1 << 16 };
        SegmentState data = mode switch
        {
            OracleMode.Real => new() { Base = Data, Limit = 0xFFFF, Access = 0x93, Selector = Data >> 4 },
            OracleMode.Protected16 => new() { Base = Data, Limit = 0xFFFF, Access = 0x93, Selector = Data16 },
            _ => new() { Limit = uint.MaxValue, Access = 0xC093, Selector = KernelData },
        };
        foreach (SegmentName segment in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs])
        {
            state.Segments[(int)segment] = mode.Is64() ? unusable : data;
        }

        state.Segments[(int)SegmentName.Ss] = user ? new() { Limit = uint.MaxValue, Access = 0xC0F3, Selector = UserData } : data;
        state.Segments[(int)SegmentName.Cs] = mode switch
        {
            OracleMode.User64 => new() { Limit = uint.MaxValue, Access = 0xA0FB, Selector = UserCode },
            OracleMode.Kernel64 => new() { Limit = uint.MaxValue, Access = 0xA09B, Selector = KernelCode64 },
            OracleMode.Protected32 => new() { Limit = uint.MaxValue, Access = 0xC09B, Selector = KernelCode32 },
            OracleMode.Protected16 => new() { Limit = 0xFFFF, Access = 0x9B, Selector = KernelCode16 },
            _ => new() { Limit = 0xFFFF, Access = 0x9B },
        };
        state.Segments[(int)SegmentName.Ldtr] = mode.Is64() ? unusable : new() { Base = Ldt, Limit = 0x17, Access = 0x82, Selector = 0x50 };
        state.Segments[(int)SegmentName.Tr] = new() { Base = Tss, Limit = 0x68 + 0x20, Access = 0x8B, Selector = TaskState };
    }

    private static void BuildPages(byte[] memory)
    {
        const ulong NoExecute = 1UL << 63;
        const ulong Kernel = 0x63;
        const ulong User = 0x67;
        Write64(memory, 0x1000, 0x2000 | User);
        Write64(memory, 0x2000, 0x3000 | User);
        Write64(memory, 0x3000, 0x4000 | User);
        for (ulong page = 1; page < Size >> 12; page++)
        {
            ulong entry = (int)(page << 12) switch
            {
                >= Code and < CodeEnd => 0x65,
                >= Data and < DataEnd => User | NoExecute,
                ReadOnlyPage => 0x65 | NoExecute,
                < Code or KernelPage => Kernel,
                _ => 0,
            };
            Write64(memory, 0x4000 + (int)page * 8, entry == 0 ? 0 : entry | page << 12);
        }
    }

    private static void BuildDescriptors(byte[] memory)
    {
        ReadOnlySpan<ulong> descriptors =
        [
            0,
            0x00CF_9B00_0000_FFFF, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF,
            0x00CF_FB00_0000_FFFF, 0x00CF_F300_0000_FFFF, 0x00AF_FB00_0000_FFFF,
            0x0000_9B00_0000_FFFF,
            0x0000_8B00_0000_0088 | (ulong)Tss << 16, 0,
            0x0000_8200_0000_0017 | (ulong)Ldt << 16, 0,
            0x00CF_9F00_0000_FFFF, 0x00CF_9100_0000_FFFF, 0x00C0_9700_0000_000F, 0x00CF_1300_0000_FFFF, 0x00CF_9900_0000_FFFF,
            0x0000_9302_0000_FFFF,
            0x0000_8C00_0008_0000 | Handlers, 0x0000_8600_0038_0000 | Handlers, 0x0000_8900_0000_0067 | (ulong)Tss << 16, 0,
        ];
        for (int index = 0; index < descriptors.Length; index++)
        {
            Write64(memory, Gdt + index * 8, descriptors[index]);
        }

        // LDT: data, code, data of level 3.
        Write64(memory, Ldt, 0x00CF_9300_0000_FFFF);
        Write64(memory, Ldt + 8, 0x00CF_9B00_0000_FFFF);
        Write64(memory, Ldt + 16, 0x00CF_F300_0000_FFFF);

        // RSP0 (ESP0, SS0), and the map of permitted ports: all but one are closed.
        Write64(memory, Tss + 4, KernelStack);
        BinaryPrimitives.WriteUInt16LittleEndian(memory.AsSpan(Tss + 0x66), 0x68);
        memory.AsSpan(Tss + 0x68, 0x21).Fill(0xFF);
        memory[Tss + 0x68 + Port / 8] = 0xFF & ~(1 << (Port & 7));
    }

    private static void Write64(byte[] memory, int address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(memory.AsSpan(address), value);
}
