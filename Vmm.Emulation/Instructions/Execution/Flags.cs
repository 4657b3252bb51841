// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Status flags of results (volume 1, section 3.4.3.1, and the instructions' pages in volume 2), in two forms: the bits of RFLAGS,
/// and the lazy form from which each flag follows when somebody asks. The lazy form is the sign-extended result and a word with the
/// carry out of the top bit in bit 63, the carry into it in bit 62, the carry out of bit 3 in bit 3, and, for flags that were loaded
/// and belong to no result, what inverts the result's parity in bits 8 to 15 and its sign in bit 0.
/// </summary>
internal static class Flags
{
    /// <summary>The carries out of and into the top bit.</summary>
    internal const ulong TopCarries = 3UL << 62;

    /// <summary>The carry out of bit 3.</summary>
    internal const ulong HalfCarry = 1 << 3;

    /// <summary>The sum and its carries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T AddCarries<T>(T left, T right, ulong carry, out ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong a = Integers.Widen(left);
        ulong b = Integers.Widen(right);
        T sum = Integers.Truncate<T>(a + b + carry);
        ulong r = Integers.Widen(sum);
        carries = Align<T>((a & b) | ((a | b) & ~r));
        return sum;
    }

    /// <summary>The difference and its borrows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T SubtractCarries<T>(T left, T right, ulong borrow, out ulong borrows)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong a = Integers.Widen(left);
        ulong b = Integers.Widen(right);
        T difference = Integers.Truncate<T>(a - b - borrow);
        ulong r = Integers.Widen(difference);
        borrows = Align<T>((~a & b) | ((~a | b) & r));
        return difference;
    }

    /// <summary>Carries with CF and OF as given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Carries(ulong carry, ulong overflow) => carry << 63 | ((carry ^ overflow) & 1) << 62;

    /// <summary>The six bits of RFLAGS that the lazy form stands for.</summary>
    internal static ulong Status(long result, ulong carries)
    {
        ulong value = (ulong)result;
        ulong flags = (~(uint)BitOperations.PopCount((value ^ carries >> 8) & 0xFF) & 1) << 2;
        flags |= value == 0 ? FlagBits.Zero : 0;
        return flags
            | ((value >> 63) ^ carries & 1) << 7
            | carries >> 63
            | (carries & HalfCarry) << 1
            | (carries ^ carries << 1) >> 63 << 11;
    }

    /// <summary>The lazy form of bits of RFLAGS.</summary>
    internal static long FromStatus(ulong flags, out ulong carries)
    {
        carries = Carries(flags & FlagBits.Carry, (flags & FlagBits.Overflow) >> 11)
            | (flags & FlagBits.Adjust) >> 1
            | (~flags & FlagBits.Parity) << 6
            | (flags & FlagBits.Sign) >> 7;
        return (flags & FlagBits.Zero) != 0 ? 0 : 0x100;
    }

    /// <summary>SF, ZF and PF of a result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Result<T>(T result)
        where T : unmanaged, IBinaryInteger<T>
        => Status(Integers.Extend(result), 0);

    /// <summary>CF, AF and OF of <c>left + right + carry</c>, and those of the result.</summary>
    internal static T Add<T>(T left, T right, ulong carry, out ulong flags)
        where T : unmanaged, IBinaryInteger<T>
    {
        T sum = AddCarries(left, right, carry, out ulong carries);
        flags = Status(Integers.Extend(sum), carries);
        return sum;
    }

    /// <summary>CF, AF and OF of <c>left - right - borrow</c>, and those of the result.</summary>
    internal static T Subtract<T>(T left, T right, ulong borrow, out ulong flags)
        where T : unmanaged, IBinaryInteger<T>
    {
        T difference = SubtractCarries(left, right, borrow, out ulong borrows);
        flags = Status(Integers.Extend(difference), borrows);
        return difference;
    }

    /// <summary>The carry out of each bit position, reduced to those that CF, OF and AF are made of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Align<T>(ulong carries)
        where T : unmanaged, IBinaryInteger<T>
        => carries & HalfCarry | carries << 64 - Unsafe.SizeOf<T>() * 8 & TopCarries;
}
