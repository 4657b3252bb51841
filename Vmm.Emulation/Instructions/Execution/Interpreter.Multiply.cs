// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>MUL, IMUL, DIV, IDIV, MULX, and the decimal adjustments.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool Multiply(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Multiply<byte>(ref cpu, s, in i),
        1 => Multiply<ushort>(ref cpu, s, in i),
        2 => Multiply<uint>(ref cpu, s, in i),
        _ => Multiply<ulong>(ref cpu, s, in i),
    };

    /// <summary>One operand: the product of accumulator and operand goes to rDX:rAX, or to AX for bytes.</summary>
    private static bool Multiply<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!ReadE(ref cpu, s, in i, out T operand))
        {
            return false;
        }

        MultiplyAccumulator(s, operand, i.Operation == Operation.Imul, keepsFlags: true);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAccumulator<T>(CpuState s, T operand, bool signed, bool keepsFlags)
        where T : unmanaged, IBinaryInteger<T>
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        T accumulator = Truncate<T>(s.General[Rax]);
        ulong left = signed ? (ulong)Integers.Extend(accumulator) : Widen(accumulator);
        ulong right = signed ? (ulong)Integers.Extend(operand) : Widen(operand);
        ulong low;
        ulong high;
        if (bits == 64)
        {
            high = Math.BigMul(left, right, out low);
            if (signed)
            {
                high = (ulong)Math.BigMul((long)left, (long)right, out long _);
            }
        }
        else
        {
            low = left * right;
            high = low >> bits & Mask(bits / 8);
        }

        if (bits == 8)
        {
            SetSized(s, Rax, low, 2);
            low = (byte)low;
        }
        else
        {
            low &= Mask(bits / 8);
            SetSized(s, Rax, low, bits / 8);
            SetSized(s, Rdx, high, bits / 8);
        }

        if (keepsFlags)
        {
            bool fits = signed ? high == ((low >> bits - 1 & 1) != 0 ? Mask(bits / 8) : 0) : high == 0;
            SetProductFlags(s, Truncate<T>(low), fits);
        }
    }

    private static bool MultiplyTo(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        1 => MultiplyTo<ushort>(ref cpu, s, in i),
        2 => MultiplyTo<uint>(ref cpu, s, in i),
        _ => MultiplyTo<ulong>(ref cpu, s, in i),
    };

    /// <summary>IMUL with two or three operands: the product is cut to the operand size.</summary>
    private static bool MultiplyTo<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!ReadE(ref cpu, s, in i, out T operand))
        {
            return false;
        }

        T right = i.Pattern == Pattern.GEI ? Truncate<T>(i.Immediate) : Get<T>(s, in i, i.Reg);
        Set(s, in i, i.Reg, CutProduct(s, operand, right, keepsFlags: true));
        return true;
    }

    /// <summary>The product cut to its factors' size; CF and OF tell whether that loses something.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T CutProduct<T>(CpuState s, T left, T right, bool keepsFlags)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!keepsFlags)
        {
            return Truncate<T>(Widen(left) * Widen(right));
        }

        long high = Math.BigMul(Integers.Extend(left), Integers.Extend(right), out long low);
        T result = Truncate<T>((ulong)low);
        SetProductFlags(s, result, Integers.Extend(result) == low && low >> 63 == high);
        return result;
    }

    /// <summary>SF, ZF, AF and PF are undefined; SF and PF follow the low half here, as on processors that we compared with.</summary>
    private static void SetProductFlags<T>(CpuState s, T low, bool fits)
        where T : unmanaged, IBinaryInteger<T>
    {
        // A product of 0 is no result that would set ZF: what has its SF and PF stands for it.
        s.FlagResult = low == T.Zero ? 0x100 : Integers.Extend(low);
        s.FlagCarries = fits ? 0 : Flags.Carries(1, 1);
    }

    private static UInt128 Extend(ulong value, int bits, bool signed)
        => signed ? (UInt128)(Int128)((long)(value << 64 - bits) >> 64 - bits) : value;

    private static bool Divide(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        0 => Divide<byte>(ref cpu, s, in i),
        1 => Divide<ushort>(ref cpu, s, in i),
        2 => Divide<uint>(ref cpu, s, in i),
        _ => Divide<ulong>(ref cpu, s, in i),
    };

    /// <summary>#DE for a zero divisor and for a quotient that does not fit. The flags are undefined and stay.</summary>
    private static bool Divide<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!ReadE(ref cpu, s, in i, out T operand))
        {
            return false;
        }

        int bits = Unsafe.SizeOf<T>() * 8;
        ulong high = bits == 8 ? s.General[Rax] >> 8 & 0xFF : s.General[Rdx] & Mask(bits / 8);
        UInt128 dividend = (UInt128)high << bits | s.General[Rax] & Mask(bits / 8);
        ulong quotient;
        ulong remainder;
        if (T.IsZero(operand))
        {
            return Fault(s, Vector.DivideError);
        }

        if (i.Operation == Operation.Div)
        {
            UInt128 divisor = Widen(operand);
            UInt128 wide = dividend / divisor;
            if (wide > Mask(bits / 8))
            {
                return Fault(s, Vector.DivideError);
            }

            quotient = (ulong)wide;
            remainder = (ulong)(dividend - wide * divisor);
        }
        else
        {
            int up = 128 - bits * 2;
            Int128 signed = (Int128)(dividend << up) >> up;
            Int128 divisor = (Int128)Extend(Widen(operand), bits, signed: true);
            Int128 limit = (Int128)1 << bits - 1;

            // The one quotient that Int128 cannot hold does not fit T either.
            if (divisor == -1 && signed == Int128.MinValue)
            {
                return Fault(s, Vector.DivideError);
            }

            Int128 wide = signed / divisor;
            if (wide >= limit || wide < -limit)
            {
                return Fault(s, Vector.DivideError);
            }

            quotient = (ulong)wide;
            remainder = (ulong)(signed - wide * divisor);
        }

        if (bits == 8)
        {
            SetSized(s, Rax, quotient & 0xFF | (remainder & 0xFF) << 8, 2);
        }
        else
        {
            SetSized(s, Rax, quotient, bits / 8);
            SetSized(s, Rdx, remainder, bits / 8);
        }

        return true;
    }

    private static bool Mulx(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!IsVexUsable(s) || !s.Has(CpuFeatures.Bmi2))
        {
            return Undefined(s);
        }

        if (i.SizeLog2 == 3)
        {
            if (!ReadE(ref cpu, s, in i, out ulong operand))
            {
                return false;
            }

            ulong high = Math.BigMul(s.General[Rdx], operand, out ulong low);
            s.General[i.Vvvv] = low;
            s.General[i.Reg] = high;
            return true;
        }

        if (!ReadE(ref cpu, s, in i, out uint narrow))
        {
            return false;
        }

        ulong product = (ulong)narrow * (uint)s.General[Rdx];
        s.General[i.Vvvv] = (uint)product;
        s.General[i.Reg] = product >> 32;
        return true;
    }

    private static bool Decimal(CpuState s, in Instruction i)
    {
        byte al = (byte)s.General[Rax];
        byte ah = (byte)(s.General[Rax] >> 8);
        ulong carry = s.Rflags & FlagBits.Carry;
        bool adjust = (al & 0xF) > 9 || (s.Rflags & FlagBits.Adjust) != 0;
        switch (i.Operation)
        {
            case Operation.Daa or Operation.Das:
                bool add = i.Operation == Operation.Daa;
                bool high = al > 0x99 || carry != 0;
                byte result = al;
                ulong carryOut = high ? FlagBits.Carry : 0;
                if (adjust)
                {
                    // In DAS a borrow out of this step also sets CF (volume 2, DAS).
                    carryOut |= !add && al < 6 ? FlagBits.Carry : 0;
                    result = (byte)(add ? result + 6 : result - 6);
                }

                result = (byte)(high ? add ? result + 0x60 : result - 0x60 : result);
                SetSized(s, Rax, result, 1);
                SetStatus(s, Flags.Result(result) | carryOut | (adjust ? FlagBits.Adjust : 0));
                return true;
            case Operation.Aaa or Operation.Aas:
                ushort ax = (ushort)s.General[Rax];
                if (adjust)
                {
                    ax = i.Operation == Operation.Aaa ? (ushort)(ax + 0x106) : (ushort)(ax - 0x106);
                }

                SetSized(s, Rax, ax & 0xFF0Fu, 2);
                SetFlags(s, FlagBits.Carry | FlagBits.Adjust, adjust ? FlagBits.Carry | FlagBits.Adjust : 0);
                return true;
            case Operation.Aam:
                if ((byte)i.Immediate == 0)
                {
                    return Fault(s, Vector.DivideError);
                }

                byte quotient = (byte)(al / (byte)i.Immediate);
                byte remainder = (byte)(al % (byte)i.Immediate);
                SetSized(s, Rax, (uint)(quotient << 8 | remainder), 2);
                SetStatus(s, Flags.Result(remainder));
                return true;
            case Operation.Aad:
                byte sum = (byte)(al + ah * (byte)i.Immediate);
                SetSized(s, Rax, sum, 2);
                SetStatus(s, Flags.Result(sum));
                return true;
            default:
                // SALC, in no manual and on every processor: AL becomes CF in all bits.
                SetSized(s, Rax, carry != 0 ? 0xFFu : 0, 1);
                return true;
        }
    }
}
