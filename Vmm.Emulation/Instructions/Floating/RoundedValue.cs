// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>A rounded result. Of the significand bit 63 is the integer bit, which is clear in a denormal number and in zero.</summary>
internal readonly struct RoundedValue(bool negative, int exponent, ulong significand, bool isInfinity = false)
{
    private const ulong IntegerBit = 1UL << 63;

    internal bool Negative { get; } = negative;

    /// <summary>The exponent of the integer bit; that of the smallest normal number for denormal ones.</summary>
    internal int Exponent { get; } = exponent;

    internal ulong Significand { get; } = significand;

    internal bool IsInfinity { get; } = isInfinity;

    /// <summary>
    /// Rounds; overflow and underflow that are not masked leave the exponent where it is, outside the format (volume 1, section 4.9.1.4
    /// and following). Whether a result is tiny is decided after rounding it as if exponents had no limit.
    /// </summary>
    internal static RoundedValue From(in ExactValue value, FloatFormat format, ref FloatStatus status)
    {
        int exponent = value.Exponent;
        ulong significand = Round(value.Negative, value.Significand, format.Precision, ref status, out bool inexact, out bool carry);
        exponent += carry ? 1 : 0;
        int least = 1 - format.MaximumExponent;
        if (exponent < least)
        {
            return FromTiny(in value, new(value.Negative, exponent, significand), inexact, format, ref status);
        }

        if (exponent <= format.MaximumExponent)
        {
            status.Raise(inexact ? FloatFlags.Precision : FloatFlags.None);
            return new(value.Negative, exponent, significand);
        }

        if (!status.IsMasked(FloatFlags.Overflow))
        {
            status.Raise(inexact ? FloatFlags.Overflow | FloatFlags.Precision : FloatFlags.Overflow);
            return new(value.Negative, exponent, significand);
        }

        // Volume 1, table 4-10.
        status.Raise(FloatFlags.Overflow | FloatFlags.Precision);
        status.RoundedUp = status.Rounding == RoundingMode.NearestEven
            || status.Rounding == (value.Negative ? RoundingMode.Down : RoundingMode.Up);
        return status.RoundedUp
            ? new(value.Negative, format.MaximumExponent + 1, IntegerBit, isInfinity: true)
            : new(value.Negative, format.MaximumExponent, ulong.MaxValue << 64 - format.Precision);
    }

    private static RoundedValue FromTiny(
        in ExactValue value, in RoundedValue unbounded, bool inexact, FloatFormat format, ref FloatStatus status)
    {
        if (!status.IsMasked(FloatFlags.Underflow))
        {
            status.Raise(inexact ? FloatFlags.Underflow | FloatFlags.Precision : FloatFlags.Underflow);
            return unbounded;
        }

        int least = 1 - format.MaximumExponent;
        if (status.FlushesToZero)
        {
            status.Raise(FloatFlags.Underflow | FloatFlags.Precision);
            status.RoundedUp = false;
            return new(value.Negative, least, 0);
        }

        UInt128 shifted = ExactValue.ShiftRightSticky(value.Significand, least - value.Exponent);
        ulong significand = Round(value.Negative, shifted, format.Precision, ref status, out bool loses, out _);
        status.Raise(loses ? FloatFlags.Underflow | FloatFlags.Precision : FloatFlags.None);
        return new(value.Negative, least, significand);
    }

    /// <summary>Rounds to the upper bits; a carry out of them leaves the integer bit alone set.</summary>
    private static ulong Round(bool negative, UInt128 value, int precision, ref FloatStatus status, out bool inexact, out bool carry)
    {
        ulong unit = 1UL << 64 - precision;
        ulong high = (ulong)(value >> 64);
        ulong kept = high & ~(unit - 1);
        ulong restHigh = high & (unit - 1);
        ulong restLow = (ulong)value;
        inexact = (restHigh | restLow) != 0;
        carry = false;
        status.RoundedUp = false;
        if (!inexact)
        {
            return kept;
        }

        // The rest as a fraction of the unit, with its lower end made sticky.
        ulong rest = precision == 64 ? restLow : restHigh << precision | (restLow != 0 ? 1u : 0u) | restLow >> 64 - precision;
        status.RoundedUp = IsRoundedUp(negative, rest, (kept & unit) != 0, status.Rounding);
        if (!status.RoundedUp)
        {
            return kept;
        }

        kept += unit;
        carry = kept == 0;
        return carry ? IntegerBit : kept;
    }

    /// <summary>Whether a rest, in units of 2^-64, takes the magnitude to the next one.</summary>
    internal static bool IsRoundedUp(bool negative, ulong rest, bool isOdd, RoundingMode mode) => mode switch
    {
        RoundingMode.NearestEven => rest > IntegerBit || rest == IntegerBit && isOdd,
        RoundingMode.Down => negative && rest != 0,
        RoundingMode.Up => !negative && rest != 0,
        _ => false,
    };
}
