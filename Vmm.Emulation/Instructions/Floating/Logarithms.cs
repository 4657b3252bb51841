// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>F2XM1, FYL2X and FYL2XP1 by series on 128 bits, rounded once.</summary>
internal static class Logarithms
{
    private const int Terms = 30;

    /// <summary>1 / (n + 1)!: of exp(x) - 1 over x.</summary>
    private static readonly ExactValue[] s_exponential = BuildExponential();

    /// <summary>1 / (2 n + 1): of artanh(x) over x, in squares.</summary>
    private static readonly ExactValue[] s_areaTangent = BuildAreaTangent();

    /// <summary>2^x - 1 for magnitudes up to 1; beyond them the manual defines nothing, and the operand stays.</summary>
    internal static Float80 PowerOfTwoMinusOne(Float80 x, ref FloatStatus status)
    {
        if (ExtendedFloat.TryPropagate(x, x, ref status, out Float80 special))
        {
            return special;
        }

        if (x.IsInfinity)
        {
            return x.Negative ? Float80.One.Negate() : x;
        }

        if (x.IsZero)
        {
            return x;
        }

        ExtendedFloat.RaiseDenormal(x, x, ref status);
        ExactValue value = x.Unpack();
        if (value.Exponent >= 0)
        {
            bool isOne = value.Exponent == 0 && value.Significand == UInt128.One << 127;
            return isOne && x.Negative ? new(Float80.One.Significand, 0xBFFE) : x;
        }

        ExactValue power = WideArithmetic.Multiply(in value, FloatConstants.LogOf2);
        return Round(WideArithmetic.Multiply(WideArithmetic.Polynomial(s_exponential, in power), in power), ref status);
    }

    /// <summary>y log2(x) (volume 2, FYL2X).</summary>
    internal static Float80 TimesLog2(Float80 x, Float80 y, ref FloatStatus status)
    {
        if (ExtendedFloat.TryPropagate(x, y, ref status, out Float80 special))
        {
            return special;
        }

        if (x.IsZero)
        {
            return OfZero(y, ref status);
        }

        if (x.Negative)
        {
            return ExtendedFloat.Fail(ref status);
        }

        bool isOne = x == Float80.One;
        bool isBelowOne = !x.IsInfinity && x.BiasedExponent < 0x3FFF;
        if (y.IsInfinity ? isOne : x.IsInfinity && y.IsZero)
        {
            return ExtendedFloat.Fail(ref status);
        }

        ExtendedFloat.RaiseDenormal(x, y, ref status);
        if (y.IsInfinity || x.IsInfinity)
        {
            return Float80.Infinity(y.Negative != isBelowOne);
        }

        if (y.IsZero || isOne)
        {
            return Float80.Zero(y.Negative != isBelowOne);
        }

        // The significand between the roots of a half and of two; the exponent is the rest.
        ExactValue value = x.Unpack();
        bool isHigh = value.Significand > new UInt128(0xB504_F333_F9DE_6484, 0);
        int exponent = value.Exponent + (isHigh ? 1 : 0);
        ExactValue significand = new(false, isHigh ? -1 : 0, value.Significand);
        if (!ExactValue.TryAdd(in significand, WideArithmetic.Negate(WideArithmetic.One), out ExactValue above))
        {
            // Exact, but processors do not know.
            status.Raise(FloatFlags.Precision);
            return Float80.From(WideArithmetic.Multiply(WideArithmetic.FromInteger(exponent), y.Unpack()), FloatFormat.Extended, ref status);
        }

        ExactValue logarithm = Log2(in above);
        logarithm = exponent == 0 ? logarithm : WideArithmetic.Add(in logarithm, WideArithmetic.FromInteger(exponent));
        return Round(WideArithmetic.Multiply(in logarithm, y.Unpack()), ref status);
    }

    /// <summary>y log2(x + 1) for x near zero (volume 2, FYL2XP1).</summary>
    internal static Float80 TimesLog2OfOnePlus(Float80 x, Float80 y, ref FloatStatus status)
    {
        if (ExtendedFloat.TryPropagate(x, y, ref status, out Float80 special))
        {
            return special;
        }

        bool negative = x.Negative != y.Negative;
        bool isBelowMinusOne = x.Negative && (x.IsInfinity || x.BiasedExponent >= 0x3FFF);
        if (isBelowMinusOne || y.IsInfinity && x.IsZero || x.IsInfinity && y.IsZero)
        {
            return ExtendedFloat.Fail(ref status);
        }

        ExtendedFloat.RaiseDenormal(x, y, ref status);
        if (x.IsInfinity || y.IsInfinity)
        {
            return Float80.Infinity(negative);
        }

        return x.IsZero || y.IsZero
            ? Float80.Zero(negative)
            : Round(WideArithmetic.Multiply(Log2(x.Unpack()), y.Unpack()), ref status);
    }

    private static Float80 OfZero(Float80 y, ref FloatStatus status)
    {
        if (y.IsZero)
        {
            return ExtendedFloat.Fail(ref status);
        }

        status.Raise(y.IsInfinity ? FloatFlags.None : FloatFlags.ZeroDivide);
        return Float80.Infinity(!y.Negative);
    }

    /// <summary>log2(1 + x) = 2 artanh(x / (2 + x)) / ln 2.</summary>
    private static ExactValue Log2(in ExactValue x)
    {
        ExactValue argument = WideArithmetic.Divide(in x, WideArithmetic.Add(WideArithmetic.FromInteger(2), in x));
        ExactValue square = WideArithmetic.Multiply(in argument, in argument);
        ExactValue area = WideArithmetic.Multiply(WideArithmetic.Polynomial(s_areaTangent, in square), in argument);
        return WideArithmetic.Scale(WideArithmetic.Multiply(in area, FloatConstants.Log2OfE), 1);
    }

    private static Float80 Round(ExactValue value, ref FloatStatus status)
        => Float80.From(new(value.Negative, value.Exponent, value.Significand | 1), FloatFormat.Extended, ref status);

    private static ExactValue[] BuildExponential()
    {
        ExactValue[] coefficients = new ExactValue[Terms];
        coefficients[0] = WideArithmetic.One;
        for (int n = 1; n < Terms; n++)
        {
            coefficients[n] = WideArithmetic.Divide(in coefficients[n - 1], WideArithmetic.FromInteger(n + 1));
        }

        return coefficients;
    }

    private static ExactValue[] BuildAreaTangent()
    {
        ExactValue[] coefficients = new ExactValue[Terms];
        for (int n = 0; n < Terms; n++)
        {
            coefficients[n] = WideArithmetic.Divide(WideArithmetic.One, WideArithmetic.FromInteger(2 * n + 1));
        }

        return coefficients;
    }
}
