// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>FSTENV, FLDENV, FSAVE and FRSTOR in their four formats (volume 1, section 8.1.10).</summary>
internal static partial class Interpreter<TCpu>
{
    private const int RegisterBytes = 10;
    private const int RegistersBytes = 8 * RegisterBytes;
    private const ushort EmptyTags = 0xFFFF;

    private static int EnvironmentBytes(in Instruction i) => i.OperandSize == 2 ? 14 : 28;

    private static bool EnvironmentAddress(CpuState s, in Instruction i, int size, bool write, out ulong linear)
        => AddressUnaligned(s, in i, size, write, out linear) && IsAligned(s, linear, i.OperandSize == 2 ? 2 : 4);

    private static bool StoreEnvironment(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Span<byte> area = stackalloc byte[28];
        int size = EnvironmentBytes(in i);
        BuildEnvironment(s, in i, area);
        if (!EnvironmentAddress(s, in i, size, write: true, out ulong linear) || !WriteBytes(ref cpu, s, linear, area[..size]))
        {
            return false;
        }

        // All exceptions are masked behind it.
        s.Extended.ControlWord |= 0x3F;
        SummarizeX87(s.Extended);
        return true;
    }

    private static bool SaveAll(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Span<byte> area = stackalloc byte[28 + RegistersBytes];
        int size = EnvironmentBytes(in i);
        BuildEnvironment(s, in i, area);
        for (int register = 0; register < 8; register++)
        {
            s.Extended.Image.Slice(ExtendedState.St0 + register * 16, RegisterBytes).CopyTo(area[(size + register * RegisterBytes)..]);
        }

        if (!EnvironmentAddress(s, in i, size + RegistersBytes, write: true, out ulong linear)
            || !WriteBytes(ref cpu, s, linear, area[..(size + RegistersBytes)]))
        {
            return false;
        }

        MoveTop(s, 8 - Top(s));
        ResetX87(s);
        return true;
    }

    private static bool LoadEnvironment(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Span<byte> area = stackalloc byte[28];
        int size = EnvironmentBytes(in i);
        if (!EnvironmentAddress(s, in i, size, write: false, out ulong linear) || !ReadBytes(ref cpu, s, linear, area[..size]))
        {
            return false;
        }

        TakeEnvironment(s, in i, area);
        return true;
    }

    private static bool RestoreAll(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Span<byte> area = stackalloc byte[28 + RegistersBytes];
        int size = EnvironmentBytes(in i);
        if (!EnvironmentAddress(s, in i, size + RegistersBytes, write: false, out ulong linear)
            || !ReadBytes(ref cpu, s, linear, area[..(size + RegistersBytes)]))
        {
            return false;
        }

        TakeEnvironment(s, in i, area);
        for (int register = 0; register < 8; register++)
        {
            area.Slice(size + register * RegisterBytes, RegisterBytes).CopyTo(s.Extended.Image[(ExtendedState.St0 + register * 16)..]);
        }

        return true;
    }

    private static bool IsRealFormat(CpuState s) => !s.IsProtected || s.IsVirtual8086;

    /// <summary>Words, each in a doubleword of its own with ones above where the format has 32 bits.</summary>
    private static void BuildEnvironment(CpuState s, in Instruction i, Span<byte> area)
    {
        ExtendedState x = s.Extended;
        uint instruction = BinaryPrimitives.ReadUInt32LittleEndian(x.Image[ExtendedState.InstructionPointer..]);
        uint data = BinaryPrimitives.ReadUInt32LittleEndian(x.Image[ExtendedState.DataPointer..]);
        uint opcode = BinaryPrimitives.ReadUInt16LittleEndian(x.Image[ExtendedState.LastOpcode..]) & 0x7FFu;
        bool isReal = IsRealFormat(s);
        if (i.OperandSize == 2)
        {
            // The 16-bit protected format has selectors and no opcode.
            ReadOnlySpan<ushort> words =
            [
                x.ControlWord, x.Status, FullTags(s), (ushort)instruction, (ushort)(isReal ? instruction >> 4 & 0xF000 | opcode : 0),
                (ushort)data, (ushort)(isReal ? data >> 4 & 0xF000 : 0),
            ];
            for (int n = 0; n < words.Length; n++)
            {
                BinaryPrimitives.WriteUInt16LittleEndian(area[(n * 2)..], words[n]);
            }

            return;
        }

        const uint Ones = 0xFFFF_0000;
        ReadOnlySpan<uint> doublewords =
        [
            x.ControlWord | Ones, x.Status | Ones, FullTags(s) | Ones,
            isReal ? instruction & 0xFFFF | Ones : instruction,
            isReal ? instruction >> 4 & 0x0FFF_F000 | opcode : opcode << 16,
            isReal ? data & 0xFFFF | Ones : data,
            isReal ? data >> 4 & 0x0FFF_F000 : Ones,
        ];
        for (int n = 0; n < doublewords.Length; n++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(area[(n * 4)..], doublewords[n]);
        }
    }

    private static void TakeEnvironment(CpuState s, in Instruction i, ReadOnlySpan<byte> area)
    {
        int step = i.OperandSize == 2 ? 2 : 4;
        ExtendedState x = s.Extended;
        ushort status = BinaryPrimitives.ReadUInt16LittleEndian(area[step..]);
        ushort tags = BinaryPrimitives.ReadUInt16LittleEndian(area[(2 * step)..]);
        uint instruction = Pointer(area, 3, step);
        uint selector = Pointer(area, 4, step);
        uint data = Pointer(area, 5, step);
        uint last = Pointer(area, 6, step);
        uint opcode = 0;
        if (IsRealFormat(s))
        {
            instruction = instruction & 0xFFFF | selector << 4 & 0xFFFF_0000;
            data = data & 0xFFFF | last << 4 & 0xFFFF_0000;
            opcode = selector & 0x7FF;
        }
        else if (step == 4)
        {
            opcode = selector >> 16 & 0x7FF;
        }

        // Registers stay where they are while TOP moves.
        MoveTop(s, (status >> 11 & 7) - Top(s) + 8 & 7);
        x.ControlWord = ControlWordOf(BinaryPrimitives.ReadUInt16LittleEndian(area));
        x.Status = status;
        x.AbridgedTags = 0;
        for (int register = 0; register < 8; register++)
        {
            x.AbridgedTags |= (byte)((tags >> register * 2 & 3) != 3 ? 1 << register : 0);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(x.Image[ExtendedState.LastOpcode..], (ushort)opcode);
        BinaryPrimitives.WriteUInt64LittleEndian(x.Image[ExtendedState.InstructionPointer..], instruction);
        BinaryPrimitives.WriteUInt64LittleEndian(x.Image[ExtendedState.DataPointer..], data);
        SummarizeX87(x);
    }

    private static uint Pointer(ReadOnlySpan<byte> area, int index, int step)
        => step == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(area[(index * 2)..]) : BinaryPrimitives.ReadUInt32LittleEndian(area[(index * 4)..]);

    /// <summary>The full tag word says what a register holds: 0 a number, 1 zero, 2 anything special, 3 nothing.</summary>
    private static ushort FullTags(CpuState s)
    {
        int tags = EmptyTags;
        for (int register = 0; register < 8; register++)
        {
            if (IsEmpty(s, register))
            {
                continue;
            }

            Float80 value = GetSt(s, register);
            int tag = value.IsZero ? 1 : value.IsFinite && !value.IsDenormal ? 0 : 2;
            int at = Physical(s, register) * 2;
            tags = tags & ~(3 << at) | tag << at;
        }

        return (ushort)tags;
    }
}
