// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>FPREM and FPREM1, which are exact, and may need several steps.</summary>
internal static class ExtendedRemainder
{
    /// <summary>One step.</summary>
    /// <param name="a">The dividend.</param>
    /// <param name="b">The divisor.</param>
    /// <param name="isNearest">Whether the quotient is rounded to the nearest integer (FPREM1), not cut off.</param>
    /// <param name="status">Where exceptions go.</param>
    /// <param name="quotient">The low bits of the quotient, if complete.</param>
    /// <param name="isPartial">Whether the exponents were too far apart for one step.</param>
    internal static Float80 Compute(Float80 a, Float80 b, bool isNearest, ref FloatStatus status, out ulong quotient, out bool isPartial)
    {
        quotient = 0;
        isPartial = false;
        if (ExtendedFloat.TryPropagate(a, b, ref status, out Float80 result))
        {
            return result;
        }

        if (a.IsInfinity || b.IsZero)
        {
            return ExtendedFloat.Fail(ref status);
        }

        ExtendedFloat.RaiseDenormal(a, b, ref status);
        if (a.IsZero)
        {
            return a;
        }

        ExactValue left = a.Unpack();
        if (b.IsInfinity)
        {
            return Float80.From(in left, FloatFormat.Extended, ref status);
        }

        ExactValue right = b.Unpack();
        int distance = left.Exponent - right.Exponent;
        if (distance < (isNearest ? -1 : 0))
        {
            return Float80.From(in left, FloatFormat.Extended, ref status);
        }

        ulong dividend = (ulong)(left.Significand >> 64);
        UInt128 divisor = right.Significand >> 64;
        int scale = right.Exponent;
        int shift = distance;
        if (distance >= 64)
        {
            // An implementation's choice between 32 and 63 (volume 2, FPREM).
            isPartial = true;
            shift = distance % 32 + 32;
            scale += distance - shift;
        }
        else if (distance < 0)
        {
            shift = 0;
            divisor <<= 1;
            scale--;
        }

        (UInt128 whole, UInt128 rest) = UInt128.DivRem((UInt128)dividend << shift, divisor);
        bool negative = a.Negative;
        if (!isPartial)
        {
            quotient = (ulong)whole;
            UInt128 twice = rest << 1;
            if (isNearest && (twice > divisor || twice == divisor && (quotient & 1) != 0))
            {
                quotient++;
                rest = divisor - rest;
                negative = !negative;
            }
        }

        return rest == 0
            ? Float80.Zero(a.Negative)
            : Float80.From(ExactValue.Normalize(negative, scale + 64, rest), FloatFormat.Extended, ref status);
    }
}
