// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT, XADD, CMPXCHG.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool Binary(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Binary<byte>(ref cpu, s, in i),
        1 => Binary<ushort>(ref cpu, s, in i),
        2 => Binary<uint>(ref cpu, s, in i),
        _ => Binary<ulong>(ref cpu, s, in i),
    };

    private static bool Binary<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operation operation = i.Operation;
        bool writes = operation is not (Operation.Cmp or Operation.Test);
        T left;
        T right;
        int destination;
        switch (i.Pattern)
        {
            case Pattern.GE:
                if (!ReadE(ref cpu, s, in i, out right))
                {
                    return false;
                }

                destination = i.Reg;
                left = Get<T>(s, in i, destination);
                break;
            case Pattern.AI:
                destination = Rax;
                left = Truncate<T>(s.General[Rax]);
                right = Truncate<T>(i.Immediate);
                break;
            default:
                right = i.Pattern == Pattern.EG ? Get<T>(s, in i, i.Reg) : Truncate<T>(i.Immediate);
                if (i.HasMemoryOperand && writes)
                {
                    return BinaryUpdate(ref cpu, s, in i, right);
                }

                if (!ReadE(ref cpu, s, in i, out left))
                {
                    return false;
                }

                destination = i.Rm;
                break;
        }

        T result = Compute(operation, left, right, s.Carry, out ulong carries);
        if (writes)
        {
            Set(s, in i, destination, result);
        }

        s.SetResult(result, carries);
        return true;
    }

    /// <summary>The destination is memory.</summary>
    private static bool BinaryUpdate<T>(ref TCpu cpu, CpuState s, in Instruction i, T right)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T left))
        {
            return false;
        }

        T result;
        ulong carries;
        bool retry;
        do
        {
            result = Compute(i.Operation, left, right, s.Carry, out carries);
            if (!EndUpdate(ref cpu, s, in i, ref update, result, ref left, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        s.SetResult(result, carries);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Compute<T>(Operation operation, T left, T right, ulong carry, out ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        switch (operation)
        {
            case Operation.Add:
                return Flags.AddCarries(left, right, 0, out carries);
            case Operation.Adc:
                return Flags.AddCarries(left, right, carry, out carries);
            case Operation.Sbb:
                return Flags.SubtractCarries(left, right, carry, out carries);
            case Operation.Sub or Operation.Cmp:
                return Flags.SubtractCarries(left, right, 0, out carries);
            case Operation.Or:
                carries = 0;
                return left | right;
            case Operation.Xor:
                carries = 0;
                return left ^ right;
            default:
                carries = 0;
                return left & right;
        }
    }

    /// <summary>Replaces the six status flags.</summary>
    private static void SetStatus(CpuState s, ulong flags) => s.SetStatus(flags);

    private static void SetFlags(CpuState s, ulong mask, ulong flags) => s.Rflags = s.Rflags & ~mask | flags & mask;

    private static bool Unary(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Unary<byte>(ref cpu, s, in i),
        1 => Unary<ushort>(ref cpu, s, in i),
        2 => Unary<uint>(ref cpu, s, in i),
        _ => Unary<ulong>(ref cpu, s, in i),
    };

    private static bool Unary<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!i.HasMemoryOperand)
        {
            T register = Get<T>(s, in i, i.Rm);
            T registerResult = ComputeUnary(i.Operation, register, s.Carry, out ulong registerCarries);
            Set(s, in i, i.Rm, registerResult);
            CommitUnary(s, i.Operation, registerResult, registerCarries);
            return true;
        }

        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T value))
        {
            return false;
        }

        T result;
        ulong carries;
        bool retry;
        do
        {
            result = ComputeUnary(i.Operation, value, s.Carry, out carries);
            if (!EndUpdate(ref cpu, s, in i, ref update, result, ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        CommitUnary(s, i.Operation, result, carries);
        return true;
    }

    /// <summary>INC and DEC leave CF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T ComputeUnary<T>(Operation operation, T value, ulong carry, out ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        T result;
        switch (operation)
        {
            case Operation.Inc:
                result = Flags.AddCarries(value, T.One, 0, out carries);
                carries = carries & Flags.HalfCarry | Flags.Carries(carry, (carries ^ carries << 1) >> 63);
                return result;
            case Operation.Dec:
                result = Flags.SubtractCarries(value, T.One, 0, out carries);
                carries = carries & Flags.HalfCarry | Flags.Carries(carry, (carries ^ carries << 1) >> 63);
                return result;
            case Operation.Neg:
                return Flags.SubtractCarries(T.Zero, value, 0, out carries);
            default:
                carries = 0;
                return ~value;
        }
    }

    /// <summary>NOT leaves the flags alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CommitUnary<T>(CpuState s, Operation operation, T result, ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (operation != Operation.Not)
        {
            s.SetResult(result, carries);
        }
    }

    private static bool Xadd(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Xadd<byte>(ref cpu, s, in i),
        1 => Xadd<ushort>(ref cpu, s, in i),
        2 => Xadd<uint>(ref cpu, s, in i),
        _ => Xadd<ulong>(ref cpu, s, in i),
    };

    private static bool Xadd<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T value))
        {
            return false;
        }

        T addend = Get<T>(s, in i, i.Reg);
        if (!i.HasMemoryOperand)
        {
            // The sum is written last, so it wins where both operands are one register.
            T sum = Flags.Add(value, addend, 0, out ulong registerFlags);
            Set(s, in i, i.Reg, value);
            Set(s, in i, i.Rm, sum);
            SetStatus(s, registerFlags);
            return true;
        }

        ulong flags;
        bool retry;
        T old;
        do
        {
            old = value;
            if (!EndUpdate(ref cpu, s, in i, ref update, Flags.Add(old, addend, 0, out flags), ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        Set(s, in i, i.Reg, old);
        SetStatus(s, flags);
        return true;
    }

    private static bool Cmpxchg(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Cmpxchg<byte>(ref cpu, s, in i),
        1 => Cmpxchg<ushort>(ref cpu, s, in i),
        2 => Cmpxchg<uint>(ref cpu, s, in i),
        _ => Cmpxchg<ulong>(ref cpu, s, in i),
    };

    /// <summary>The destination is written in any case: with its own value where the comparison fails (volume 2, CMPXCHG).</summary>
    private static bool Cmpxchg<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!BeginUpdate(ref cpu, s, in i, out Update<T> update, out T value))
        {
            return false;
        }

        T accumulator = Truncate<T>(s.General[Rax]);
        T replacement = Get<T>(s, in i, i.Reg);
        bool retry;
        T old;
        do
        {
            old = value;
            T stored = old == accumulator ? replacement : old;
            if (!i.HasMemoryOperand && old != accumulator)
            {
                // A failed comparison leaves a register destination alone, upper half included.
                break;
            }

            if (!EndUpdate(ref cpu, s, in i, ref update, stored, ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        Flags.Subtract(accumulator, old, 0, out ulong flags);
        if (old != accumulator)
        {
            Set(s, in i, Rax, old);
        }

        SetStatus(s, flags);
        return true;
    }

    private static bool Cmpxchg8b(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!Address(s, in i, 8, write: true, out ulong linear) || !BeginUpdateAt(ref cpu, s, linear, i.HasLock, out Update<ulong> update, out ulong value))
        {
            return false;
        }

        ulong expected = (uint)s.General[Rax] | s.General[Rdx] << 32;
        ulong desired = (uint)s.General[Rbx] | s.General[Rcx] << 32;
        bool retry;
        ulong old;
        do
        {
            old = value;
            if (!EndUpdate(ref cpu, s, in i, ref update, old == expected ? desired : old, ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        if (old != expected)
        {
            s.General[Rax] = (uint)old;
            s.General[Rdx] = old >> 32;
        }

        SetFlags(s, FlagBits.Zero, old == expected ? FlagBits.Zero : 0);
        return true;
    }

    /// <summary>The operand must be aligned to 16, whoever asks (volume 2, CMPXCHG8B/CMPXCHG16B).</summary>
    private static bool Cmpxchg16b(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Cmpxchg16b))
        {
            return Undefined(s);
        }

        if (!AddressUnaligned(s, in i, 16, write: true, out ulong linear))
        {
            return false;
        }

        if ((linear & 15) != 0)
        {
            return GeneralProtection(s);
        }

        if (!Translate(ref cpu, s, linear, TranslationCache.Write, out ulong physical))
        {
            return false;
        }

        ref byte ram = ref cpu.Ram(physical, 16, write: true);
        if (Unsafe.IsNullRef(ref ram))
        {
            s.Outcome = new(ExecutionStatus.Refused);
            return false;
        }

        Written(s, physical, 16);
        Accessed(s, linear, 16, write: true);
        UInt128 expected = new(s.General[Rdx], s.General[Rax]);
        bool equal = cpu.CompareExchange16(ref ram, ref expected, new UInt128(s.General[Rcx], s.General[Rbx]));
        if (!equal)
        {
            s.General[Rax] = (ulong)expected;
            s.General[Rdx] = (ulong)(expected >> 64);
        }

        SetFlags(s, FlagBits.Zero, equal ? FlagBits.Zero : 0);
        return true;
    }
}
