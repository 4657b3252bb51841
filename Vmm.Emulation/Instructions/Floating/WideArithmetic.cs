// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Arithmetic that keeps 128 bits, for series of which 64 are wanted. Results are cut off, not rounded.</summary>
internal static class WideArithmetic
{
    internal static ExactValue One => new(false, 0, UInt128.One << 127);

    internal static ExactValue FromInteger(int value) => ExactValue.FromInteger(value < 0, (ulong)Math.Abs((long)value));

    internal static ExactValue Multiply(in ExactValue a, in ExactValue b)
    {
        ulong aHigh = (ulong)(a.Significand >> 64);
        ulong bHigh = (ulong)(b.Significand >> 64);
        UInt128 high = Math.BigMul(aHigh, bHigh);
        UInt128 middle1 = Math.BigMul(aHigh, (ulong)b.Significand);
        UInt128 middle2 = Math.BigMul((ulong)a.Significand, bHigh);
        UInt128 low = Math.BigMul((ulong)a.Significand, (ulong)b.Significand);
        UInt128 carries = (low >> 64) + (ulong)middle1 + (ulong)middle2;
        high += (middle1 >> 64) + (middle2 >> 64) + (carries >> 64);
        int exponent = a.Exponent + b.Exponent + 1;
        bool negative = a.Negative != b.Negative;
        return high >> 127 != 0 ? new(negative, exponent, high) : new(negative, exponent - 1, high << 1 | (ulong)carries >> 63);
    }

    internal static ExactValue Divide(in ExactValue a, in ExactValue b)
    {
        UInt128 rest = a.Significand;
        UInt128 divisor = b.Significand;
        int exponent = a.Exponent - b.Exponent;
        bool carry = false;
        if (rest < divisor)
        {
            exponent--;
            carry = rest >> 127 != 0;
            rest <<= 1;
        }

        UInt128 quotient = 0;
        for (int bit = 0; bit < 128; bit++)
        {
            quotient <<= 1;
            if (carry || rest >= divisor)
            {
                rest -= divisor;
                quotient |= 1;
            }

            carry = rest >> 127 != 0;
            rest <<= 1;
        }

        return new(a.Negative != b.Negative, exponent, quotient);
    }

    /// <summary>The sum; a difference that vanishes becomes a number too small to matter.</summary>
    internal static ExactValue Add(in ExactValue a, in ExactValue b)
        => ExactValue.TryAdd(in a, in b, out ExactValue sum) ? sum : new(false, Math.Min(a.Exponent, b.Exponent) - 1000, UInt128.One << 127);

    internal static ExactValue Negate(in ExactValue a) => new(!a.Negative, a.Exponent, a.Significand);

    internal static ExactValue Scale(in ExactValue a, int exponent) => new(a.Negative, a.Exponent + exponent, a.Significand);

    /// <summary>The polynomial c0 + c1 x + c2 x² and so on.</summary>
    internal static ExactValue Polynomial(ReadOnlySpan<ExactValue> coefficients, in ExactValue x)
    {
        ExactValue sum = coefficients[^1];
        for (int n = coefficients.Length - 2; n >= 0; n--)
        {
            sum = Add(Multiply(in sum, in x), in coefficients[n]);
        }

        return sum;
    }
}
