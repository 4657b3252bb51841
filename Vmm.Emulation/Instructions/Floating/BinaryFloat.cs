// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>
/// The arithmetic of SSE, AVX and FMA on the bits of a format, exact in every rounding mode, with the exceptions of MXCSR (volume 1,
/// section 11.5 and appendix E). Operands with exceptions that the masks do not cover leave a result without meaning.
/// </summary>
internal static partial class BinaryFloat<TFormat>
    where TFormat : struct, IBinaryFormat
{
    private static int FractionBits => TFormat.Format.Precision - 1;

    private static ulong SignBit => 1UL << TFormat.Width - 1;

    private static ulong InfinityBits => SignBit - 1 & ~FractionMask;

    private static ulong FractionMask => (1UL << FractionBits) - 1;

    private static ulong QuietBit => 1UL << FractionBits - 1;

    /// <summary>"QNaN floating-point indefinite".</summary>
    private static ulong Indefinite => SignBit | InfinityBits | QuietBit;

    internal static bool IsNaN(ulong bits) => (bits & ~SignBit) > InfinityBits;

    private static bool IsSignaling(ulong bits) => IsNaN(bits) && (bits & QuietBit) == 0;

    private static bool IsInfinity(ulong bits) => (bits & ~SignBit) == InfinityBits;

    private static bool IsZero(ulong bits) => (bits & ~SignBit) == 0;

    private static bool IsDenormal(ulong bits) => (bits & InfinityBits) == 0 && !IsZero(bits);

    private static bool IsNegative(ulong bits) => (bits & SignBit) != 0;

    private static ulong Zero(bool negative) => negative ? SignBit : 0;

    /// <summary>The operation that MIN, MAX and the four of arithmetic do.</summary>
    internal static ulong Compute(FloatOperation operation, ulong a, ulong b, ref FloatStatus status)
    {
        a = Flush(a, in status);
        b = Flush(b, in status);
        return operation switch
        {
            FloatOperation.Add => Add(a, b, ref status),
            FloatOperation.Subtract => IsNaN(b) ? Add(a, b, ref status) : Add(a, b ^ SignBit, ref status),
            FloatOperation.Multiply => Multiply(a, b, ref status),
            FloatOperation.Divide => Divide(a, b, ref status),
            _ => Select(a, b, operation == FloatOperation.Minimum ? FloatRelation.Less : FloatRelation.Greater, ref status),
        };
    }

    internal static ulong SquareRoot(ulong a, ref FloatStatus status)
    {
        a = Flush(a, in status);
        if (IsNaN(a))
        {
            return Quiet(a, ref status);
        }

        if (IsZero(a))
        {
            return a;
        }

        if (IsNegative(a))
        {
            return Fail(ref status);
        }

        if (IsInfinity(a))
        {
            return a;
        }

        RaiseDenormal(a, a, ref status);
        ExactValue value = Unpack(a);
        return Round(ExactValue.SquareRoot(value.Exponent, (ulong)(value.Significand >> 64)), ref status);
    }

    /// <summary>a * b + c with one rounding; the signs of the product and of the addend may be turned.</summary>
    internal static ulong MultiplyAdd(ulong a, ulong b, ulong c, bool negatesProduct, bool negatesAddend, ref FloatStatus status)
    {
        a = Flush(a, in status);
        b = Flush(b, in status);
        c = Flush(c, in status);
        bool isInvalid = IsInfinity(a) && IsZero(b) || IsZero(a) && IsInfinity(b);
        if (IsNaN(a) || IsNaN(b) || IsNaN(c))
        {
            if (IsSignaling(a) || IsSignaling(b) || IsSignaling(c))
            {
                status.Raise(FloatFlags.Invalid);
            }

            return (IsNaN(a) ? a : IsNaN(b) ? b : c) | QuietBit;
        }

        bool negative = IsNegative(a) != IsNegative(b) != negatesProduct;
        c = negatesAddend ? c ^ SignBit : c;
        if (isInvalid || (IsInfinity(a) || IsInfinity(b)) && IsInfinity(c) && IsNegative(c) != negative)
        {
            return Fail(ref status);
        }

        RaiseDenormal(a, b, ref status);
        RaiseDenormal(c, c, ref status);
        if (IsInfinity(a) || IsInfinity(b))
        {
            return Zero(negative) | InfinityBits;
        }

        if (IsInfinity(c))
        {
            return c;
        }

        if (IsZero(a) || IsZero(b))
        {
            return IsZero(c) ? SumOfZeros(negative, IsNegative(c), in status) : Round(Unpack(c), ref status);
        }

        ExactValue product = Product(a, b, negative);
        if (IsZero(c))
        {
            return Round(in product, ref status);
        }

        return ExactValue.TryAdd(in product, Unpack(c), out ExactValue sum)
            ? Round(in sum, ref status)
            : Zero(status.Rounding == RoundingMode.Down);
    }

    /// <summary>Compares; QNaNs are invalid operands only where <paramref name="signals"/> says so.</summary>
    internal static FloatRelation Compare(ulong a, ulong b, bool signals, ref FloatStatus status)
    {
        a = Flush(a, in status);
        b = Flush(b, in status);
        if (IsNaN(a) || IsNaN(b))
        {
            if (signals || IsSignaling(a) || IsSignaling(b))
            {
                status.Raise(FloatFlags.Invalid);
            }

            return FloatRelation.Unordered;
        }

        RaiseDenormal(a, b, ref status);
        return Order(a, b);
    }

    private static FloatRelation Order(ulong a, ulong b)
    {
        if (a == b || IsZero(a) && IsZero(b))
        {
            return FloatRelation.Equal;
        }

        bool less = IsNegative(a) != IsNegative(b) ? IsNegative(a) : a < b != IsNegative(a);
        return less ? FloatRelation.Less : FloatRelation.Greater;
    }

    private static ulong Add(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            return Propagate(a, b, ref status);
        }

        if (IsInfinity(a) && IsInfinity(b) && a != b)
        {
            return Fail(ref status);
        }

        RaiseDenormal(a, b, ref status);
        if (IsInfinity(a) || IsInfinity(b))
        {
            return IsInfinity(a) ? a : b;
        }

        if (IsZero(a) || IsZero(b))
        {
            return !IsZero(a) ? Round(Unpack(a), ref status)
                : !IsZero(b) ? Round(Unpack(b), ref status)
                : SumOfZeros(IsNegative(a), IsNegative(b), in status);
        }

        return ExactValue.TryAdd(Unpack(a), Unpack(b), out ExactValue sum) ? Round(in sum, ref status) : Zero(status.Rounding == RoundingMode.Down);
    }

    private static ulong SumOfZeros(bool a, bool b, in FloatStatus status) => Zero(a == b ? a : status.Rounding == RoundingMode.Down);

    private static ulong Multiply(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            return Propagate(a, b, ref status);
        }

        if (IsInfinity(a) && IsZero(b) || IsZero(a) && IsInfinity(b))
        {
            return Fail(ref status);
        }

        bool negative = IsNegative(a) != IsNegative(b);
        RaiseDenormal(a, b, ref status);
        return IsInfinity(a) || IsInfinity(b) ? Zero(negative) | InfinityBits
            : IsZero(a) || IsZero(b) ? Zero(negative)
            : Round(Product(a, b, negative), ref status);
    }

    private static ExactValue Product(ulong a, ulong b, bool negative)
    {
        ExactValue left = Unpack(a);
        ExactValue right = Unpack(b);
        return ExactValue.Multiply(
            negative, left.Exponent + right.Exponent, (ulong)(left.Significand >> 64), (ulong)(right.Significand >> 64));
    }

    private static ulong Divide(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            return Propagate(a, b, ref status);
        }

        if (IsInfinity(a) && IsInfinity(b) || IsZero(a) && IsZero(b))
        {
            return Fail(ref status);
        }

        bool negative = IsNegative(a) != IsNegative(b);
        if (IsZero(b) && !IsInfinity(a))
        {
            status.Raise(FloatFlags.ZeroDivide);
            return Zero(negative) | InfinityBits;
        }

        RaiseDenormal(a, b, ref status);
        if (IsInfinity(a))
        {
            return Zero(negative) | InfinityBits;
        }

        if (IsZero(a) || IsInfinity(b))
        {
            return Zero(negative);
        }

        ExactValue left = Unpack(a);
        ExactValue right = Unpack(b);
        return Round(
            ExactValue.Divide(
                negative, left.Exponent - right.Exponent, (ulong)(left.Significand >> 64), (ulong)(right.Significand >> 64)),
            ref status);
    }

    /// <summary>MIN and MAX: the first operand if the relation holds, else the second, NaNs and equal zeros included.</summary>
    private static ulong Select(ulong a, ulong b, FloatRelation wanted, ref FloatStatus status)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            status.Raise(FloatFlags.Invalid);
            return b;
        }

        RaiseDenormal(a, b, ref status);
        return Order(a, b) == wanted ? a : b;
    }

    private static ulong Flush(ulong bits, in FloatStatus status)
        => status.DenormalsAreZero && (bits & InfinityBits) == 0 ? bits & SignBit : bits;

    private static void RaiseDenormal(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsDenormal(a) || IsDenormal(b))
        {
            status.Raise(FloatFlags.Denormal);
        }
    }

    /// <summary>The first operand if it is a NaN, else the second (volume 1, table 4-7).</summary>
    private static ulong Propagate(ulong a, ulong b, ref FloatStatus status)
    {
        if (IsSignaling(a) || IsSignaling(b))
        {
            status.Raise(FloatFlags.Invalid);
        }

        return (IsNaN(a) ? a : b) | QuietBit;
    }

    private static ulong Quiet(ulong a, ref FloatStatus status) => Propagate(a, a, ref status);

    private static ulong Fail(ref FloatStatus status)
    {
        status.Raise(FloatFlags.Invalid);
        return Indefinite;
    }

    /// <summary>A finite number other than zero.</summary>
    private static ExactValue Unpack(ulong bits)
    {
        int exponent = (int)((bits & InfinityBits) >> FractionBits);
        ulong fraction = bits & FractionMask;
        int bias = TFormat.Format.MaximumExponent;
        return exponent == 0
            ? ExactValue.Normalize(IsNegative(bits), 1 - bias, new UInt128(fraction << 63 - FractionBits, 0))
            : new(IsNegative(bits), exponent - bias, new UInt128((fraction | 1UL << FractionBits) << 63 - FractionBits, 0));
    }

    private static ulong Round(in ExactValue value, ref FloatStatus status) => Pack(RoundedValue.From(in value, TFormat.Format, ref status));

    /// <summary>The bits; a result outside the format, which an exception keeps from being written, gives any.</summary>
    private static ulong Pack(in RoundedValue value)
    {
        ulong sign = Zero(value.Negative);
        if (value.IsInfinity)
        {
            return sign | InfinityBits;
        }

        ulong exponent = (value.Significand >> 63) == 0 ? 0 : (ulong)(value.Exponent + TFormat.Format.MaximumExponent);
        return sign | (exponent << FractionBits & InfinityBits) | (value.Significand >> 63 - FractionBits & FractionMask);
    }
}
