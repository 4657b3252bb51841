// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>BT and its relatives, scans, counts, BMI, ADX, CRC32.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool BitTest(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        1 => BitTest<ushort>(ref cpu, s, in i),
        2 => BitTest<uint>(ref cpu, s, in i),
        _ => BitTest<ulong>(ref cpu, s, in i),
    };

    /// <summary>With a register bit offset a memory operand is a bit string: the offset is signed and moves the address.</summary>
    private static bool BitTest<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        int bits = Unsafe.SizeOf<T>() * 8;
        long offset = i.Pattern == Pattern.EG
            ? (long)(Widen(Get<T>(s, in i, i.Reg)) << 64 - bits) >> 64 - bits
            : (byte)i.Immediate & bits - 1;
        int bit = (int)offset & bits - 1;
        T mask = T.One << bit;
        bool writes = i.Operation != Operation.Bt;
        Update<T> update = default;
        T value;
        if (!i.HasMemoryOperand)
        {
            value = Get<T>(s, in i, i.Rm);
        }
        else
        {
            ulong address = Effective(s, in i) + (ulong)((offset >> BitOperations.Log2((uint)bits)) * (bits / 8));
            address &= Mask(i.AddressSize);
            if (!Linear(s, s.CodeSize, i.Segment, address, bits / 8, writes, out ulong linear) || !IsAligned(s, linear, bits / 8))
            {
                return false;
            }

            Unsafe.SkipInit(out value);
            if (writes ? !BeginUpdateAt(ref cpu, s, linear, i.HasLock, out update, out value) : !ReadLinear(ref cpu, s, linear, out value))
            {
                return false;
            }
        }

        bool retry = false;
        T old;
        do
        {
            old = value;
            T result = i.Operation switch
            {
                Operation.Bts => old | mask,
                Operation.Btr => old & ~mask,
                Operation.Btc => old ^ mask,
                _ => old,
            };
            if (writes && !EndUpdate(ref cpu, s, in i, ref update, result, ref value, out retry) && !retry)
            {
                return false;
            }
        }
        while (retry);
        SetFlags(s, FlagBits.Carry, T.IsZero(old & mask) ? 0 : FlagBits.Carry);
        return true;
    }

    private static bool Scan(ref TCpu cpu, CpuState s, in Instruction i) => i.SizeLog2 switch
    {
        1 => Scan<ushort>(ref cpu, s, in i),
        2 => Scan<uint>(ref cpu, s, in i),
        _ => Scan<ulong>(ref cpu, s, in i),
    };

    private static bool Scan<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operation operation = i.Operation;

        // Without the newer instruction the prefix is ignored and the old one executes (volume 2, TZCNT and LZCNT).
        operation = operation switch
        {
            Operation.Tzcnt when !s.Has(CpuFeatures.Bmi1) => Operation.Bsf,
            Operation.Lzcnt when !s.Has(CpuFeatures.Lzcnt) => Operation.Bsr,
            _ => operation,
        };
        if (operation == Operation.Popcnt && !s.Has(CpuFeatures.Popcnt))
        {
            return Undefined(s);
        }

        if (!ReadE(ref cpu, s, in i, out T value))
        {
            return false;
        }

        bool zero = T.IsZero(value);
        int bits = Unsafe.SizeOf<T>() * 8;
        switch (operation)
        {
            case Operation.Popcnt:
                Set(s, in i, i.Reg, T.PopCount(value));
                SetStatus(s, zero ? FlagBits.Zero : 0);
                return true;
            case Operation.Tzcnt or Operation.Lzcnt:
                T count = operation == Operation.Tzcnt ? T.TrailingZeroCount(value) : T.LeadingZeroCount(value);
                Set(s, in i, i.Reg, count);
                SetFlags(s, FlagBits.Carry | FlagBits.Zero, (zero ? FlagBits.Carry : 0) | (T.IsZero(count) ? FlagBits.Zero : 0));
                return true;
            default:
                // The destination is unchanged for 0: documented by AMD, and what Intel's processors do.
                if (!zero)
                {
                    int index = operation == Operation.Bsf
                        ? BitOperations.TrailingZeroCount(Widen(value)) : BitOperations.Log2(Widen(value));
                    Set(s, in i, i.Reg, Truncate<T>((uint)index & (uint)(bits - 1)));
                }

                SetFlags(s, FlagBits.Zero, zero ? FlagBits.Zero : 0);
                return true;
        }
    }

    /// <summary>Neither real nor virtual-8086 mode has VEX prefixes (volume 2, VEX-encoded GPR instructions).</summary>
    private static bool IsVexUsable(CpuState s) => s.IsProtected && !s.IsVirtual8086;

    private static bool Bmi(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool isBmi2 = i.Operation is Operation.Bzhi or Operation.Pdep or Operation.Pext;
        if (!IsVexUsable(s) || !s.Has(isBmi2 ? CpuFeatures.Bmi2 : CpuFeatures.Bmi1))
        {
            return Undefined(s);
        }

        return i.SizeLog2 == 3 ? Bmi<ulong>(ref cpu, s, in i) : Bmi<uint>(ref cpu, s, in i);
    }

    private static bool Bmi<T>(ref TCpu cpu, CpuState s, in Instruction i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!ReadE(ref cpu, s, in i, out T value))
        {
            return false;
        }

        int bits = Unsafe.SizeOf<T>() * 8;
        T other = Truncate<T>(s.General[i.Vvvv]);
        T result;
        ulong flags;
        switch (i.Operation)
        {
            case Operation.Andn:
                result = ~other & value;
                Set(s, in i, i.Reg, result);
                SetStatus(s, Flags.Result(result));
                return true;
            case Operation.Bextr:
                int start = (int)(Widen(other) & 0xFF);
                int length = (int)(Widen(other) >> 8 & 0xFF);
                ulong field = start >= bits ? 0 : Widen(value) >> start;
                field = length >= 64 ? field : field & (1UL << length) - 1;
                Set(s, in i, i.Reg, Truncate<T>(field));
                SetStatus(s, field == 0 ? FlagBits.Zero : 0);
                return true;
            case Operation.Bzhi:
                int index = (int)(Widen(other) & 0xFF);
                result = index >= bits ? value : value & (T.One << index) - T.One;
                Set(s, in i, i.Reg, result);
                SetStatus(s, Flags.Result(result) | (index >= bits ? FlagBits.Carry : 0));
                return true;
            case Operation.Pdep or Operation.Pext:
                Set(s, in i, i.Reg, Truncate<T>(i.Operation == Operation.Pdep
                    ? Deposit(Widen(other), Widen(value)) : Extract(Widen(other), Widen(value))));
                return true;
            case Operation.Blsr:
                result = value & value - T.One;
                flags = T.IsZero(value) ? FlagBits.Carry : 0;
                break;
            case Operation.Blsmsk:
                result = value ^ value - T.One;
                flags = T.IsZero(value) ? FlagBits.Carry : 0;
                break;
            default:
                result = value & T.Zero - value;
                flags = T.IsZero(value) ? 0 : FlagBits.Carry;
                break;
        }

        Set(s, in i, i.Vvvv, result);
        SetStatus(s, Flags.Result(result) | flags);
        return true;
    }

    private static ulong Deposit(ulong source, ulong mask)
    {
        ulong result = 0;
        while (mask != 0)
        {
            ulong lowest = mask & 0 - mask;
            result |= (source & 1) != 0 ? lowest : 0;
            source >>= 1;
            mask &= mask - 1;
        }

        return result;
    }

    private static ulong Extract(ulong source, ulong mask)
    {
        ulong result = 0;
        for (int at = 0; mask != 0; at++)
        {
            ulong lowest = mask & 0 - mask;
            result |= (source & lowest) != 0 ? 1UL << at : 0;
            mask &= mask - 1;
        }

        return result;
    }

    private static bool AddCarry(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Adx))
        {
            return Undefined(s);
        }

        ulong flag = i.Operation == Operation.Adcx ? FlagBits.Carry : FlagBits.Overflow;
        ulong carry = (s.Rflags & flag) != 0 ? 1u : 0;
        ulong carries;
        if (i.SizeLog2 == 3)
        {
            if (!ReadE(ref cpu, s, in i, out ulong wide))
            {
                return false;
            }

            s.General[i.Reg] = Flags.Add(s.General[i.Reg], wide, carry, out carries);
        }
        else
        {
            if (!ReadE(ref cpu, s, in i, out uint narrow))
            {
                return false;
            }

            s.General[i.Reg] = Flags.Add((uint)s.General[i.Reg], narrow, carry, out carries);
        }

        SetFlags(s, flag, (carries & FlagBits.Carry) != 0 ? flag : 0);
        return true;
    }

    /// <summary>CRC-32C, bit-reflected, over 1 to 8 bytes.</summary>
    private static bool Crc32(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.Has(CpuFeatures.Sse42))
        {
            return Undefined(s);
        }

        // F2 0F 38 F0 has a byte operand whatever the operand size, which is the destination's.
        int sizeLog2 = (i.Opcode & 1) == 0 ? 0 : i.SizeLog2;
        uint crc = (uint)s.General[i.Reg];
        switch (sizeLog2)
        {
            case 0:
                if (!ReadE(ref cpu, s, in i, out byte one))
                {
                    return false;
                }

                crc = BitOperations.Crc32C(crc, one);
                break;
            case 1:
                if (!ReadE(ref cpu, s, in i, out ushort two))
                {
                    return false;
                }

                crc = BitOperations.Crc32C(crc, two);
                break;
            case 2:
                if (!ReadE(ref cpu, s, in i, out uint four))
                {
                    return false;
                }

                crc = BitOperations.Crc32C(crc, four);
                break;
            default:
                if (!ReadE(ref cpu, s, in i, out ulong eight))
                {
                    return false;
                }

                crc = BitOperations.Crc32C(crc, eight);
                break;
        }

        s.General[i.Reg] = crc;
        return true;
    }
}
