// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>The x87's arithmetic (volume 1, sections 8.3 and 8.5). Operands with exceptions that are not masked leave a result without meaning.</summary>
internal static class ExtendedFloat
{
    /// <summary>One of the four operations. The control word's precision is the format's.</summary>
    internal static Float80 Compute(FloatOperation operation, Float80 a, Float80 b, FloatFormat format, ref FloatStatus status)
    {
        if (TryPropagate(a, b, ref status, out Float80 result))
        {
            return result;
        }

        return operation switch
        {
            FloatOperation.Add => Add(a, b, format, ref status),
            FloatOperation.Subtract => Add(a, b.Negate(), format, ref status),
            FloatOperation.Multiply => Multiply(a, b, format, ref status),
            _ => Divide(a, b, format, ref status),
        };
    }

    /// <summary>NaNs and unsupported operands: the QNaN, of two the one with the larger significand (volume 1, table 4-7).</summary>
    internal static bool TryPropagate(Float80 a, Float80 b, ref FloatStatus status, out Float80 result)
    {
        result = default;
        if (a.IsUnsupported || b.IsUnsupported)
        {
            result = Fail(ref status);
            return true;
        }

        if (!a.IsNaN && !b.IsNaN)
        {
            return false;
        }

        if (a.IsSignaling || b.IsSignaling)
        {
            status.Raise(FloatFlags.Invalid);
        }

        result = (!b.IsNaN ? a : !a.IsNaN ? b
            : a.IsSignaling != b.IsSignaling ? a.IsSignaling ? b : a
            : a.Significand != b.Significand ? a.Significand > b.Significand ? a : b
            : a.Negative ? b : a).Quiet();
        return true;
    }

    internal static Float80 Fail(ref FloatStatus status)
    {
        status.Raise(FloatFlags.Invalid);
        return Float80.Indefinite;
    }

    internal static void RaiseDenormal(Float80 a, Float80 b, ref FloatStatus status)
    {
        if (a.IsDenormal || b.IsDenormal)
        {
            status.Raise(FloatFlags.Denormal);
        }
    }

    internal static Float80 SquareRoot(Float80 a, FloatFormat format, ref FloatStatus status)
    {
        if (TryPropagate(a, a, ref status, out Float80 result))
        {
            return result;
        }

        if (a.IsZero)
        {
            return a;
        }

        if (a.Negative)
        {
            return Fail(ref status);
        }

        RaiseDenormal(a, a, ref status);
        if (a.IsInfinity)
        {
            return a;
        }

        ExactValue value = a.Unpack();
        return Float80.From(ExactValue.SquareRoot(value.Exponent, (ulong)(value.Significand >> 64)), format, ref status);
    }

    /// <summary>Compares; QNaNs are invalid operands only where <paramref name="signals"/> says so.</summary>
    internal static FloatRelation Compare(Float80 a, Float80 b, bool signals, ref FloatStatus status)
    {
        if (a.IsUnsupported || b.IsUnsupported || a.IsNaN || b.IsNaN)
        {
            if (signals || a.IsUnsupported || b.IsUnsupported || a.IsSignaling || b.IsSignaling)
            {
                status.Raise(FloatFlags.Invalid);
            }

            return FloatRelation.Unordered;
        }

        RaiseDenormal(a, b, ref status);
        if (a.IsZero && b.IsZero)
        {
            return FloatRelation.Equal;
        }

        if (a.Negative != b.Negative)
        {
            return a.Negative ? FloatRelation.Less : FloatRelation.Greater;
        }

        // A pseudo-denormal equals the normal number with exponent 1.
        (int, ulong) left = (Math.Max(a.BiasedExponent, 1), a.Significand);
        (int, ulong) right = (Math.Max(b.BiasedExponent, 1), b.Significand);
        int order = left.CompareTo(right);
        return order == 0 ? FloatRelation.Equal : order < 0 != a.Negative ? FloatRelation.Less : FloatRelation.Greater;
    }

    /// <summary>FRNDINT.</summary>
    internal static Float80 RoundToIntegral(Float80 a, ref FloatStatus status)
    {
        if (TryPropagate(a, a, ref status, out Float80 result))
        {
            return result;
        }

        if (a.IsZero || a.IsInfinity)
        {
            return a;
        }

        RaiseDenormal(a, a, ref status);
        ExactValue value = a.Unpack();
        if (value.Exponent >= 63)
        {
            return a;
        }

        // The magnitude may be 2^63: one more than a signed integer holds.
        UInt128 integer = value.Exponent < 0 ? 0 : value.Significand >> 127 - value.Exponent;
        UInt128 fraction = value.Exponent < 0 ? ExactValue.ShiftRightSticky(value.Significand, -1 - value.Exponent) : value.Significand << value.Exponent + 1;
        ulong rest = (ulong)(fraction >> 64) | ((ulong)fraction != 0 ? 1u : 0u);
        status.RoundedUp = RoundedValue.IsRoundedUp(a.Negative, rest, (integer & 1) != 0, status.Rounding);
        status.Raise(rest != 0 ? FloatFlags.Precision : FloatFlags.None);
        integer += status.RoundedUp ? 1u : 0u;
        return integer == 0 ? Float80.Zero(a.Negative) : Float80.FromExact(ExactValue.FromInteger(a.Negative, (ulong)integer));
    }

    /// <summary>Rounds to a signed integer; false, with an invalid operand, for what does not fit.</summary>
    internal static bool TryToInteger(Float80 a, int width, RoundingMode mode, ref FloatStatus status, out long result)
    {
        result = 0;
        if (a.IsZero)
        {
            return true;
        }

        if (!a.IsFinite || !IntegerRounding.TryRound(a.Unpack(), mode, width, out result, out bool inexact, out bool roundedUp))
        {
            status.Raise(FloatFlags.Invalid);
            return false;
        }

        status.RoundedUp = roundedUp;
        status.Raise(inexact ? FloatFlags.Precision : FloatFlags.None);
        return true;
    }

    /// <summary>FSCALE: the exponent grows by the integer part of the second operand.</summary>
    internal static Float80 Scale(Float80 a, Float80 by, ref FloatStatus status)
    {
        if (TryPropagate(a, by, ref status, out Float80 result))
        {
            return result;
        }

        if (by.IsInfinity && (by.Negative ? a.IsInfinity : a.IsZero))
        {
            return Fail(ref status);
        }

        RaiseDenormal(a, by, ref status);
        if (by.IsInfinity)
        {
            return by.Negative ? Float80.Zero(a.Negative) : Float80.Infinity(a.Negative);
        }

        if (a.IsInfinity || a.IsZero)
        {
            return a;
        }

        ExactValue value = a.Unpack();
        int shift = 0;
        if (!by.IsZero)
        {
            ExactValue count = by.Unpack();
            const int Most = 0x1_0000;
            int magnitude = count.Exponent < 0 ? 0 : count.Exponent >= 16 ? Most : (int)(count.Significand >> 127 - count.Exponent);
            shift = by.Negative ? -magnitude : magnitude;
        }

        return Float80.From(new(value.Negative, value.Exponent + shift, value.Significand), FloatFormat.Extended, ref status);
    }

    private static Float80 Add(Float80 a, Float80 b, FloatFormat format, ref FloatStatus status)
    {
        if (a.IsInfinity && b.IsInfinity && a.Negative != b.Negative)
        {
            return Fail(ref status);
        }

        RaiseDenormal(a, b, ref status);
        if (a.IsInfinity || b.IsInfinity)
        {
            return a.IsInfinity ? a : b;
        }

        if (a.IsZero && b.IsZero)
        {
            return Float80.Zero(a.Negative == b.Negative ? a.Negative : status.Rounding == RoundingMode.Down);
        }

        if (a.IsZero || b.IsZero)
        {
            return Float80.From((a.IsZero ? b : a).Unpack(), format, ref status);
        }

        return ExactValue.TryAdd(a.Unpack(), b.Unpack(), out ExactValue sum)
            ? Float80.From(in sum, format, ref status)
            : Float80.Zero(status.Rounding == RoundingMode.Down);
    }

    private static Float80 Multiply(Float80 a, Float80 b, FloatFormat format, ref FloatStatus status)
    {
        if (a.IsInfinity && b.IsZero || a.IsZero && b.IsInfinity)
        {
            return Fail(ref status);
        }

        bool negative = a.Negative != b.Negative;
        RaiseDenormal(a, b, ref status);
        if (a.IsInfinity || b.IsInfinity)
        {
            return Float80.Infinity(negative);
        }

        if (a.IsZero || b.IsZero)
        {
            return Float80.Zero(negative);
        }

        ExactValue left = a.Unpack();
        ExactValue right = b.Unpack();
        return Float80.From(
            ExactValue.Multiply(negative, left.Exponent + right.Exponent, (ulong)(left.Significand >> 64), (ulong)(right.Significand >> 64)),
            format,
            ref status);
    }

    private static Float80 Divide(Float80 a, Float80 b, FloatFormat format, ref FloatStatus status)
    {
        if (a.IsInfinity && b.IsInfinity || a.IsZero && b.IsZero)
        {
            return Fail(ref status);
        }

        bool negative = a.Negative != b.Negative;
        if (b.IsZero && !a.IsInfinity)
        {
            status.Raise(FloatFlags.ZeroDivide);
            return Float80.Infinity(negative);
        }

        RaiseDenormal(a, b, ref status);
        if (a.IsInfinity)
        {
            return Float80.Infinity(negative);
        }

        if (a.IsZero || b.IsInfinity)
        {
            return Float80.Zero(negative);
        }

        ExactValue left = a.Unpack();
        ExactValue right = b.Unpack();
        return Float80.From(
            ExactValue.Divide(negative, left.Exponent - right.Exponent, (ulong)(left.Significand >> 64), (ulong)(right.Significand >> 64)),
            format,
            ref status);
    }
}
