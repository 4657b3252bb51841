// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>
/// A finite value other than zero before it is rounded: <see cref="Significand"/> / 2^127 * 2^<see cref="Exponent"/>. Bit 127 is
/// set; bit 0 stands for everything below it that was lost ("sticky"), which no rounding to 64 bits or fewer can tell from more.
/// </summary>
internal readonly struct ExactValue(bool negative, int exponent, UInt128 significand)
{
    internal bool Negative { get; } = negative;

    internal int Exponent { get; } = exponent;

    internal UInt128 Significand { get; } = significand;

    /// <summary>From any significand but zero, whose bit 127 weighs 2^exponent.</summary>
    internal static ExactValue Normalize(bool negative, int exponent, UInt128 significand)
    {
        int zeros = (int)UInt128.LeadingZeroCount(significand);
        return new(negative, exponent - zeros, significand << zeros);
    }

    /// <summary>An integer other than zero.</summary>
    internal static ExactValue FromInteger(bool negative, ulong magnitude) => Normalize(negative, 63, new UInt128(magnitude, 0));

    /// <summary>Shifts right; lost bits stay visible in bit 0.</summary>
    internal static UInt128 ShiftRightSticky(UInt128 value, int count)
    {
        if (count == 0)
        {
            return value;
        }

        if (count >= 128)
        {
            return value == 0 ? UInt128.Zero : UInt128.One;
        }

        UInt128 shifted = value >> count;
        return shifted << count == value ? shifted : shifted | 1;
    }

    /// <summary>The sum; false when it is exactly zero.</summary>
    internal static bool TryAdd(in ExactValue a, in ExactValue b, out ExactValue sum)
    {
        bool swap = a.Exponent < b.Exponent || a.Exponent == b.Exponent && a.Significand < b.Significand;
        ref readonly ExactValue large = ref swap ? ref b : ref a;
        ref readonly ExactValue small = ref swap ? ref a : ref b;
        UInt128 aligned = ShiftRightSticky(small.Significand, large.Exponent - small.Exponent);
        if (large.Negative == small.Negative)
        {
            UInt128 total = large.Significand + aligned;
            sum = total >= aligned
                ? new(large.Negative, large.Exponent, total)
                : new(large.Negative, large.Exponent + 1, total >> 1 | total & 1 | UInt128.One << 127);
            return true;
        }

        UInt128 difference = large.Significand - aligned;
        if (difference == 0)
        {
            sum = default;
            return false;
        }

        sum = Normalize(large.Negative, large.Exponent, difference);
        return true;
    }

    /// <summary>The product of two significands of 64 bits, exactly.</summary>
    internal static ExactValue Multiply(bool negative, int exponent, ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return Normalize(negative, exponent + 1, new UInt128(high, low));
    }

    /// <summary>The quotient of two normalized significands of 64 bits.</summary>
    internal static ExactValue Divide(bool negative, int exponent, ulong a, ulong b)
    {
        // Two digits to the base 2^64 behind the integer digit, and the rest as sticky bit.
        ulong integer = a >= b ? 1u : 0u;
        ulong rest = integer != 0 ? a - b : a;
        (UInt128 high, UInt128 rest1) = UInt128.DivRem(new UInt128(rest, 0), b);
        if (rest1 == 0)
        {
            return Join(negative, exponent, integer, (ulong)high, 0);
        }

        (UInt128 low, UInt128 rest2) = UInt128.DivRem(new UInt128((ulong)rest1, 0), b);
        return Join(negative, exponent, integer, (ulong)high, (ulong)low | (rest2 != 0 ? 1u : 0u));
    }

    /// <summary>The square root of a positive value with a significand of 64 bits.</summary>
    internal static ExactValue SquareRoot(int exponent, ulong significand)
    {
        // An even exponent; the radicand then has its bit 127 or 126 set, and the root its bit 63.
        UInt128 radicand = new UInt128(significand, 0) >> ((exponent & 1) == 0 ? 1 : 0);
        ulong root = IntegerSquareRoot(radicand);
        UInt128 rest = radicand - (UInt128)root * root;
        ulong low = rest > root ? 1UL << 63 | 1 : rest != 0 ? 1u : 0u;
        return new(false, exponent >> 1, new UInt128(root, low));
    }

    private static ExactValue Join(bool negative, int exponent, ulong integer, ulong high, ulong low)
    {
        UInt128 fraction = new(high, low);
        return integer != 0
            ? new(negative, exponent, UInt128.One << 127 | fraction >> 1 | fraction & 1)
            : Normalize(negative, exponent - 1, fraction);
    }

    private static ulong IntegerSquareRoot(UInt128 value)
    {
        // One step of Newton's method from a root that is right to 52 bits leaves at most a unit to correct.
        double estimate = Math.Sqrt((double)(ulong)(value >> 64)) * 4294967296.0;
        ulong root = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        UInt128 next = (root + value / root) >> 1;
        root = next > ulong.MaxValue ? ulong.MaxValue : (ulong)next;
        while ((UInt128)root * root > value)
        {
            root--;
        }

        while (root != ulong.MaxValue && (UInt128)(root + 1) * (root + 1) <= value)
        {
            root++;
        }

        return root;
    }
}
