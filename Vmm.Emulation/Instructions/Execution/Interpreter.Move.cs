// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Moves among general registers and memory: MOV, MOVZX, MOVSX, MOVBE, XCHG, BSWAP, LEA, XLAT, CMOVcc, SETcc, CBW, CWD.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool Move(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Move<byte>(ref cpu, s, in i),
        1 => Move<ushort>(ref cpu, s, in i),
        2 => Move<uint>(ref cpu, s, in i),
        _ => Move<ulong>(ref cpu, s, in i),
    };

    private static bool Move<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong linear;
        T value;
        switch (i.Pattern)
        {
            case Pattern.EG:
                return WriteE(ref cpu, s, in i, Get<T>(s, in i, i.Reg));
            case Pattern.GE:
                if (!ReadE(ref cpu, s, in i, out value))
                {
                    return false;
                }

                Set(s, in i, i.Reg, value);
                return true;
            case Pattern.ZI:
                Set(s, in i, i.Rm, Truncate<T>(i.Immediate));
                return true;
            case Pattern.AO:
                if (!Linear(s, s.CodeSize, i.Segment, i.Immediate, Unsafe.SizeOf<T>(), write: false, out linear)
                    || !IsAligned(s, linear, Unsafe.SizeOf<T>()) || !ReadLinear(ref cpu, s, linear, out value))
                {
                    return false;
                }

                Set(s, in i, Rax, value);
                return true;
            case Pattern.OA:
                return Linear(s, s.CodeSize, i.Segment, i.Immediate, Unsafe.SizeOf<T>(), write: true, out linear)
                    && IsAligned(s, linear, Unsafe.SizeOf<T>()) && WriteLinear(ref cpu, s, linear, Truncate<T>(s.General[Rax]));
            default:
                return WriteE(ref cpu, s, in i, Truncate<T>(i.Immediate));
        }
    }

    private static bool MoveExtended(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong value;
        if (i.Operation == Operation.Movsxd)
        {
            if (i.SizeLog2 == 1 && !s.IsAmd)
            {
                // Without REX.W it moves, and extends nothing (volume 2, MOVSX/MOVSXD). The source of AMD's processors has 32 bits with any
                // operand size (AMD, volume 3, MOVSXD).
                if (!ReadE(ref cpu, s, in i, out ushort word))
                {
                    return false;
                }

                value = word;
            }
            else
            {
                if (!ReadE(ref cpu, s, in i, out uint doubleword))
                {
                    return false;
                }

                value = (ulong)(int)doubleword;
            }
        }
        else
        {
            bool isByte = (i.Opcode & 1) == 0;
            bool signed = i.Operation == Operation.Movsx;
            if (isByte)
            {
                if (!ReadE(ref cpu, s, in i, out byte narrow))
                {
                    return false;
                }

                value = signed ? (ulong)(sbyte)narrow : narrow;
            }
            else
            {
                if (!ReadE(ref cpu, s, in i, out ushort narrow))
                {
                    return false;
                }

                value = signed ? (ulong)(short)narrow : narrow;
            }
        }

        SetSized(s, i.Reg, value, i.OperandSize);
        return true;
    }

    private static bool MoveBigEndian(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Movbe))
        {
            return Undefined(s);
        }

        int size = i.OperandSize;
        if (i.Pattern == Pattern.EG)
        {
            ulong swapped = BinaryPrimitives.ReverseEndianness(s.General[i.Reg]) >> 64 - size * 8;
            return size switch
            {
                2 => WriteE(ref cpu, s, in i, (ushort)swapped),
                4 => WriteE(ref cpu, s, in i, (uint)swapped),
                _ => WriteE(ref cpu, s, in i, swapped),
            };
        }

        ulong value;
        switch (size)
        {
            case 2:
                if (!ReadE(ref cpu, s, in i, out ushort two))
                {
                    return false;
                }

                value = BinaryPrimitives.ReverseEndianness(two);
                break;
            case 4:
                if (!ReadE(ref cpu, s, in i, out uint four))
                {
                    return false;
                }

                value = BinaryPrimitives.ReverseEndianness(four);
                break;
            default:
                if (!ReadE(ref cpu, s, in i, out ulong eight))
                {
                    return false;
                }

                value = BinaryPrimitives.ReverseEndianness(eight);
                break;
        }

        SetSized(s, i.Reg, value, size);
        return true;
    }

    private static bool Exchange(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Exchange<byte>(ref cpu, s, in i),
        1 => Exchange<ushort>(ref cpu, s, in i),
        2 => Exchange<uint>(ref cpu, s, in i),
        _ => Exchange<ulong>(ref cpu, s, in i),
    };

    /// <summary>XCHG with memory is locked with or without the prefix (volume 2, XCHG).</summary>
    private static bool Exchange<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        int other = i.Pattern == Pattern.ZA ? Rax : i.Reg;
        T register = i.Pattern == Pattern.ZA ? Truncate<T>(s.General[Rax]) : Get<T>(s, in i, other);
        if (!i.HasMemoryOperand)
        {
            T first = Get<T>(s, in i, i.Rm);
            Set(s, in i, i.Rm, register);
            Set(s, in i, other, first);
            return true;
        }

        if (!Address(s, in i, Unsafe.SizeOf<T>(), write: true, out ulong linear)
            || !BeginUpdateAt(ref cpu, s, linear, isLocked: true, out Update<T> update, out T value))
        {
            return false;
        }

        bool retry;
        T old;
        do
        {
            old = value;
            if (!EndUpdate(ref cpu, s, in i, ref update, register, ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        Set(s, in i, other, old);
        return true;
    }

    /// <summary>16-bit BSWAP is undefined; processors clear the register's low half.</summary>
    private static bool ByteSwap(CpuState s, in Instruction i)
    {
        ref ulong at = ref s.General[i.Rm];
        at = i.SizeLog2 switch
        {
            1 => at & ~0xFFFFUL,
            2 => BinaryPrimitives.ReverseEndianness((uint)at),
            _ => BinaryPrimitives.ReverseEndianness(at),
        };
        return true;
    }

    private static bool Translate(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong offset = s.General[Rbx] + (byte)s.General[Rax] & Mask(i.AddressSize);
        if (!Linear(s, s.CodeSize, i.Segment, offset, 1, write: false, out ulong linear) || !ReadLinear(ref cpu, s, linear, out byte value))
        {
            return false;
        }

        SetSized(s, Rax, value, 1);
        return true;
    }

    /// <summary>The source is read, and faults, whatever the condition; 32-bit destinations are zero-extended in any case.</summary>
    private static bool ConditionalMove(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong value;
        switch (i.SizeLog2)
        {
            case 1:
                if (!ReadE(ref cpu, s, in i, out ushort two))
                {
                    return false;
                }

                value = two;
                break;
            case 2:
                if (!ReadE(ref cpu, s, in i, out uint four))
                {
                    return false;
                }

                value = four;
                break;
            default:
                if (!ReadE(ref cpu, s, in i, out value))
                {
                    return false;
                }

                break;
        }

        SetSized(s, i.Reg, s.IsTrue(i.Opcode) ? value : s.General[i.Reg], i.OperandSize);
        return true;
    }

    private static bool ConvertAccumulator(CpuState s, in Instruction i)
    {
        long accumulator = (long)s.General[Rax];
        if (i.Operation == Operation.Cbw)
        {
            SetSized(s, Rax, i.SizeLog2 switch
            {
                1 => (ulong)(sbyte)accumulator,
                2 => (ulong)(short)accumulator,
                _ => (ulong)(int)accumulator,
            }, i.OperandSize);
            return true;
        }

        int bits = i.OperandSize * 8;
        SetSized(s, Rdx, (ulong)(accumulator << 64 - bits >> 63), i.OperandSize);
        return true;
    }
}
