// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Status flags of results (volume 1, section 3.4.3.1, and the instructions' pages in volume 2).</summary>
internal static class Flags
{
    /// <summary>SF, ZF and PF of a result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Result<T>(T result)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong value = ulong.CreateTruncating(result);
        ulong flags = (~(uint)BitOperations.PopCount(value & 0xFF) & 1) << 2;
        flags |= value == 0 ? FlagBits.Zero : 0;
        return flags | (value >> Unsafe.SizeOf<T>() * 8 - 1) << 7;
    }

    /// <summary>CF, AF and OF of <c>left + right + carry</c>, and those of the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Add<T>(T left, T right, ulong carry, out ulong flags)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong a = ulong.CreateTruncating(left);
        ulong b = ulong.CreateTruncating(right);
        T sum = T.CreateTruncating(a + b + carry);
        ulong r = ulong.CreateTruncating(sum);
        int top = Unsafe.SizeOf<T>() * 8 - 1;

        // The carry out of each bit position; the manual's CF, AF and OF are three of them.
        ulong carries = (a & b) | ((a | b) & ~r);
        flags = Result(sum)
            | carries >> top & 1
            | (a ^ b ^ r) & FlagBits.Adjust
            | ((a ^ r) & (b ^ r)) >> top << 11 & FlagBits.Overflow;
        return sum;
    }

    /// <summary>CF, AF and OF of <c>left - right - borrow</c>, and those of the result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Subtract<T>(T left, T right, ulong borrow, out ulong flags)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong a = ulong.CreateTruncating(left);
        ulong b = ulong.CreateTruncating(right);
        T difference = T.CreateTruncating(a - b - borrow);
        ulong r = ulong.CreateTruncating(difference);
        int top = Unsafe.SizeOf<T>() * 8 - 1;
        ulong borrows = (~a & b) | ((~a | b) & r);
        flags = Result(difference)
            | borrows >> top & 1
            | (a ^ b ^ r) & FlagBits.Adjust
            | ((a ^ b) & (a ^ r)) >> top << 11 & FlagBits.Overflow;
        return difference;
    }
}
