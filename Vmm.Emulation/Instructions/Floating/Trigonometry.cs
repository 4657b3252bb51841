// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>
/// FSIN, FCOS, FPTAN and FPATAN by series on 128 bits, rounded once. Arguments are reduced by a pi of 66 bits, as the processors'
/// are (volume 1, section 8.3.8), so that even the results of large ones agree with theirs.
/// </summary>
internal static class Trigonometry
{
    private const int Terms = 16;

    /// <summary>pi / 2 to 66 bits, in units of 2^-65.</summary>
    private static readonly UInt128 s_halfPi = new UInt128(0xC90F_DAA2_2168_C234, 0xC000_0000_0000_0000) >> 62;

    private static readonly ExactValue[] s_sine = Series(3);
    private static readonly ExactValue[] s_cosine = Series(2);

    private static ExactValue HalfPi => WideArithmetic.Scale(FloatConstants.Pi, -1);

    /// <summary>Beyond 2^63 the instructions do nothing but set C2.</summary>
    internal static bool IsInRange(Float80 value) => !value.IsFinite || value.IsZero || value.IsDenormal || value.BiasedExponent < 0x3FFF + 63;

    internal static Float80 Sine(Float80 value, ref FloatStatus status)
        => TryPrepare(value, ref status, out Float80 special) ? value.IsZero ? value : special : Round(Evaluate(value, 0), ref status);

    internal static Float80 Cosine(Float80 value, ref FloatStatus status)
        => TryPrepare(value, ref status, out Float80 special) ? value.IsZero ? Float80.One : special : Round(Evaluate(value, 1), ref status);

    internal static Float80 Tangent(Float80 value, ref FloatStatus status)
    {
        if (TryPrepare(value, ref status, out Float80 special))
        {
            return value.IsZero ? value : special;
        }

        return Round(WideArithmetic.Divide(Evaluate(value, 0), Evaluate(value, 1)), ref status);
    }

    /// <summary>The angle of the point with abscissa x and ordinate y (volume 2, FPATAN).</summary>
    internal static Float80 ArcTangent(Float80 y, Float80 x, ref FloatStatus status)
    {
        if (ExtendedFloat.TryPropagate(y, x, ref status, out Float80 special))
        {
            return special;
        }

        ExtendedFloat.RaiseDenormal(y, x, ref status);
        if (y.IsZero || x.IsInfinity && !y.IsInfinity)
        {
            return x.Negative ? Round(Turn(FloatConstants.Pi, y.Negative), ref status) : Float80.Zero(y.Negative);
        }

        if (y.IsInfinity || x.IsZero)
        {
            ExactValue angle = !x.IsInfinity ? HalfPi
                : x.Negative ? WideArithmetic.Multiply(WideArithmetic.Scale(FloatConstants.Pi, -2), WideArithmetic.FromInteger(3))
                : WideArithmetic.Scale(FloatConstants.Pi, -2);
            return Round(Turn(angle, y.Negative), ref status);
        }

        ExactValue ordinate = y.Abs().Unpack();
        ExactValue abscissa = x.Abs().Unpack();
        ExactValue result = AngleOf(in ordinate, in abscissa);
        result = x.Negative ? WideArithmetic.Add(FloatConstants.Pi, WideArithmetic.Negate(in result)) : result;
        return Round(Turn(result, y.Negative), ref status);
    }

    /// <summary>Zeros, infinities and NaNs have results of their own.</summary>
    private static bool TryPrepare(Float80 value, ref FloatStatus status, out Float80 special)
    {
        if (ExtendedFloat.TryPropagate(value, value, ref status, out special) || value.IsZero)
        {
            return true;
        }

        if (value.IsInfinity)
        {
            special = ExtendedFloat.Fail(ref status);
            return true;
        }

        ExtendedFloat.RaiseDenormal(value, value, ref status);
        return false;
    }

    private static Float80 Round(ExactValue value, ref FloatStatus status)
        => Float80.From(new(value.Negative, value.Exponent, value.Significand | 1), FloatFormat.Extended, ref status);

    private static ExactValue Turn(ExactValue value, bool negative) => negative ? WideArithmetic.Negate(in value) : value;

    /// <summary>The sine of the value and a number of quarter turns.</summary>
    private static ExactValue Evaluate(Float80 value, int quarters)
    {
        ExactValue angle = Reduce(value.Unpack(), ref quarters, out bool isZero);
        bool isCosine = (quarters & 1) != 0;
        if (isZero)
        {
            // An exact multiple of the 66-bit pi / 2 does not exist among 64-bit numbers but by the reduction's own unit.
            angle = new(false, -130, UInt128.One << 127);
        }

        ExactValue square = WideArithmetic.Multiply(in angle, in angle);
        ExactValue result = WideArithmetic.Polynomial(isCosine ? s_cosine : s_sine, in square);
        result = isCosine ? result : WideArithmetic.Multiply(in result, in angle);
        return Turn(result, (quarters & 2) != 0);
    }

    /// <summary>Takes quarter turns away until at most an eighth is left.</summary>
    private static ExactValue Reduce(in ExactValue value, ref int quarters, out bool isZero)
    {
        isZero = false;
        if (value.Exponent < -1)
        {
            return value;
        }

        // In units of 2^-65: 64 bits of significand, of which the last weighs at least 2^-64.
        UInt128 units = (value.Significand >> 64) << value.Exponent + 2;
        (UInt128 turns, UInt128 rest) = UInt128.DivRem(units, s_halfPi);
        bool negative = value.Negative;
        int count = (int)((ulong)turns & 3);
        if (rest << 1 > s_halfPi)
        {
            rest = s_halfPi - rest;
            count++;
            negative = !negative;
        }

        quarters += value.Negative ? -count : count;
        isZero = rest == 0;
        return isZero ? value : ExactValue.Normalize(negative, 62, rest);
    }

    /// <summary>1 - x² / (n (n - 1)) and so on: the series of the cosine, and of the sine over its argument, in squares.</summary>
    private static ExactValue[] Series(int first)
    {
        ExactValue[] coefficients = new ExactValue[Terms];
        coefficients[0] = WideArithmetic.One;
        for (int n = 1; n < Terms; n++)
        {
            int divisor = first + 2 * (n - 1);
            coefficients[n] = WideArithmetic.Negate(WideArithmetic.Divide(in coefficients[n - 1], WideArithmetic.FromInteger(divisor * (divisor - 1))));
        }

        return coefficients;
    }

    /// <summary>
    /// The angle of a point of the first quadrant: an estimate of 53 bits, and what is left of the point when it is turned back by
    /// that, which is so small that two terms of the series do.
    /// </summary>
    private static ExactValue AngleOf(in ExactValue ordinate, in ExactValue abscissa)
    {
        const int Small = 50;
        if (ordinate.Exponent < abscissa.Exponent - Small)
        {
            return ArcTangentOfSmall(WideArithmetic.Divide(in ordinate, in abscissa));
        }

        if (abscissa.Exponent < ordinate.Exponent - Small)
        {
            return WideArithmetic.Add(HalfPi, WideArithmetic.Negate(ArcTangentOfSmall(WideArithmetic.Divide(in abscissa, in ordinate))));
        }

        int scale = ordinate.Exponent - abscissa.Exponent;
        double estimate = Math.Atan2(Math.ScaleB((double)(ulong)(ordinate.Significand >> 64), scale), (ulong)(abscissa.Significand >> 64));
        BinaryFloatBits(estimate, out ExactValue angle);
        ExactValue square = WideArithmetic.Multiply(in angle, in angle);
        (ExactValue sine, ExactValue cosine) = estimate < 0.8
            ? (WideArithmetic.Multiply(WideArithmetic.Polynomial(s_sine, in square), in angle), WideArithmetic.Polynomial(s_cosine, in square))
            : Complement(in angle);
        ExactValue across = WideArithmetic.Add(
            WideArithmetic.Multiply(in ordinate, in cosine), WideArithmetic.Negate(WideArithmetic.Multiply(in abscissa, in sine)));
        ExactValue along = WideArithmetic.Add(WideArithmetic.Multiply(in abscissa, in cosine), WideArithmetic.Multiply(in ordinate, in sine));
        return WideArithmetic.Add(in angle, ArcTangentOfSmall(WideArithmetic.Divide(in across, in along)));
    }

    /// <summary>Sine and cosine of an angle near a quarter turn, by the rest of it.</summary>
    private static (ExactValue Sine, ExactValue Cosine) Complement(in ExactValue angle)
    {
        ExactValue rest = WideArithmetic.Add(HalfPi, WideArithmetic.Negate(in angle));
        ExactValue square = WideArithmetic.Multiply(in rest, in rest);
        return (WideArithmetic.Polynomial(s_cosine, in square), WideArithmetic.Multiply(WideArithmetic.Polynomial(s_sine, in square), in rest));
    }

    /// <summary>x - x³ / 3.</summary>
    private static ExactValue ArcTangentOfSmall(in ExactValue x)
    {
        ExactValue cube = WideArithmetic.Multiply(WideArithmetic.Multiply(in x, in x), in x);
        return WideArithmetic.Add(in x, WideArithmetic.Negate(WideArithmetic.Divide(in cube, WideArithmetic.FromInteger(3))));
    }

    private static void BinaryFloatBits(double value, out ExactValue exact)
        => exact = BinaryFloat<Double64>.ToExtended(BitConverter.DoubleToUInt64Bits(value), out _).Unpack();
}
