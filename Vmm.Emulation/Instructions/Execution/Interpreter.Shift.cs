// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD, and the flagless shifts of BMI2.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool Shift(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Shift<byte>(ref cpu, s, in i),
        1 => Shift<ushort>(ref cpu, s, in i),
        2 => Shift<uint>(ref cpu, s, in i),
        _ => Shift<ulong>(ref cpu, s, in i),
    };

    private static bool Shift<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong amount = i.Pattern switch
        {
            Pattern.E1 => 1,
            Pattern.Ecl => s.General[Rcx],
            _ => i.Immediate,
        };
        int count = (int)(amount & (Unsafe.SizeOf<T>() == 8 ? 63UL : 31UL));
        return i.HasMemoryOperand ? ShiftMemory<T>(ref cpu, s, in i, count) : ShiftRegister<T>(s, in i, count);
    }

    private static bool ShiftRegister<T>(CpuState s, in Instruction i, int count)
        where T : unmanaged, IBinaryInteger<T>
    {
        T value = Get<T>(s, in i, i.Rm);
        if (count == 0)
        {
            Set(s, in i, i.Rm, value);
            return true;
        }

        T result = ComputeShift(i.Operation, value, count, s.Carry, out ulong carries);
        Set(s, in i, i.Rm, result);
        CommitShift(s, i.Operation, result, carries);
        return true;
    }

    private static bool ShiftMemory<T>(ref TCpu cpu, CpuState s, in Instruction i, int count)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T value))
        {
            return false;
        }

        ulong carries = 0;
        T result = count == 0 ? value : ComputeShift(i.Operation, value, count, s.Carry, out carries);
        if (!EndUpdate(ref cpu, s, in i, ref update, result, ref value, out _))
        {
            return false;
        }

        if (count != 0)
        {
            CommitShift(s, i.Operation, result, carries);
        }

        return true;
    }

    /// <summary>
    /// Shifts by a count that is not 0. OF is defined for a count of 1 only; for others it has the value that the same rule
    /// gives, as current processors do.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T ComputeShift<T>(Operation operation, T operand, int count, ulong carry, out ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        ulong value = Widen(operand);
        ulong mask = bits == 64 ? ulong.MaxValue : (1UL << bits) - 1;
        ulong result;
        ulong overflow;
        switch (operation)
        {
            case Operation.Rol:
                count &= bits - 1;
                result = count == 0 ? value : (value << count | value >> bits - count) & mask;
                carry = result & 1;
                overflow = result >> bits - 1 ^ carry;
                break;
            case Operation.Ror:
                count &= bits - 1;
                result = count == 0 ? value : (value >> count | value << bits - count) & mask;
                carry = result >> bits - 1;
                overflow = (result >> bits - 1 ^ result >> bits - 2) & 1;
                break;
            case Operation.Rcl:
                count %= bits + 1;
                result = value;
                for (int n = 0; n < count; n++)
                {
                    ulong next = result >> bits - 1;
                    result = (result << 1 | carry) & mask;
                    carry = next;
                }

                overflow = result >> bits - 1 ^ carry;
                break;
            case Operation.Rcr:
                count %= bits + 1;
                result = value;
                for (int n = 0; n < count; n++)
                {
                    ulong next = result & 1;
                    result = result >> 1 | carry << bits - 1;
                    carry = next;
                }

                overflow = (result >> bits - 1 ^ result >> bits - 2) & 1;
                break;
            case Operation.Shl or Operation.Sal:
                result = count >= bits ? 0 : value << count & mask;
                carry = count > bits ? 0 : value >> bits - count & 1;
                overflow = result >> bits - 1 ^ carry;
                break;
            case Operation.Shr:
                result = count >= bits ? 0 : value >> count;
                carry = count > bits ? 0 : value >> count - 1 & 1;
                overflow = value >> bits - 1;
                break;
            default:
                long signed = (long)(value << 64 - bits) >> 64 - bits;
                carry = (ulong)(signed >> Math.Min(count - 1, 63)) & 1;
                result = (ulong)(signed >> Math.Min(count, 63)) & mask;
                overflow = 0;
                break;
        }

        carries = Flags.Carries(carry, overflow & 1);
        return Truncate<T>(result);
    }

    /// <summary>Rotations change CF and OF only. AF is undefined after shifts (volume 2, SAL/SAR/SHL/SHR); processors clear it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CommitShift<T>(CpuState s, Operation operation, T result, ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (operation is Operation.Rol or Operation.Ror or Operation.Rcl or Operation.Rcr)
        {
            s.SetTopCarries(carries);
        }
        else
        {
            s.SetResult(result, carries);
        }
    }

    private static bool DoubleShift(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        1 => DoubleShift<ushort>(ref cpu, s, in i),
        2 => DoubleShift<uint>(ref cpu, s, in i),
        _ => DoubleShift<ulong>(ref cpu, s, in i),
    };

    /// <summary>A count beyond 16 for 16-bit operands is undefined; it continues into the destination, as processors do.</summary>
    private static bool DoubleShift<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T value))
        {
            return false;
        }

        int bits = Unsafe.SizeOf<T>() * 8;
        ulong amount = i.Pattern == Pattern.EGcl ? s.General[Rcx] : i.Immediate;
        int count = (int)(amount & (bits == 64 ? 63UL : 31UL));
        ulong flags = s.Rflags & FlagBits.Status;
        T result = value;
        if (count != 0)
        {
            UInt128 destination = Widen(value);
            UInt128 source = Widen(Get<T>(s, in i, i.Reg));
            ulong carry;
            if (i.Operation == Operation.Shld)
            {
                UInt128 joined = destination << bits * 2 | source << bits | (bits == 16 ? destination : 0);
                result = T.CreateTruncating(joined << count >> bits * 2);
                carry = (ulong)(joined >> bits * 3 - count) & 1;
                if (bits == 64)
                {
                    result = Truncate<T>((ulong)destination << count | (ulong)source >> 64 - count);
                    carry = (ulong)destination >> 64 - count & 1;
                }
            }
            else if (bits == 64)
            {
                result = Truncate<T>((ulong)destination >> count | (ulong)source << 64 - count);
                carry = (ulong)destination >> count - 1 & 1;
            }
            else
            {
                UInt128 joined = destination | source << bits | (bits == 16 ? destination << 32 : 0);
                result = T.CreateTruncating(joined >> count);
                carry = (ulong)(joined >> count - 1) & 1;
            }

            ulong overflow = (Widen(result) ^ Widen(value)) >> bits - 1 & 1;
            flags = Flags.Result(result) | carry | overflow << 11;
        }

        if (!EndUpdate(ref cpu, s, in i, ref update, result, ref value, out _))
        {
            return false;
        }

        SetStatus(s, flags);
        return true;
    }

    private static bool FlaglessShift(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!IsVexUsable(s) || !s.Has(CpuFeatures.Bmi2))
        {
            return Undefined(s);
        }

        return i.SizeLog2 == 3 ? FlaglessShift<ulong>(ref cpu, s, in i) : FlaglessShift<uint>(ref cpu, s, in i);
    }

    private static bool FlaglessShift<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!ReadE(ref cpu, s, in i, out T value))
        {
            return false;
        }

        int bits = Unsafe.SizeOf<T>() * 8;
        int count = (int)(i.Operation == Operation.Rorx ? i.Immediate : s.General[i.Vvvv]) & bits - 1;
        T result = i.Operation switch
        {
            Operation.Rorx => T.RotateRight(value, count),
            Operation.Shlx => value << count,
            Operation.Shrx => value >>> count,
            _ => Truncate<T>((ulong)((long)(Widen(value) << 64 - bits) >> 64 - bits >> count)),
        };
        Set(s, in i, i.Reg, result);
        return true;
    }
}
