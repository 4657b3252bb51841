// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>A number of the x87 in its double extended format (volume 1, section 4.2.2): the integer bit is not hidden.</summary>
/// <param name="Significand">The significand; bit 63 is the integer bit.</param>
/// <param name="SignExponent">The sign in bit 15 and the biased exponent.</param>
internal readonly record struct Float80(ulong Significand, ushort SignExponent)
{
    private const ulong IntegerBit = 1UL << 63;
    private const ulong QuietBit = 1UL << 62;
    private const int Bias = 16383;
    private const int MaximumBiased = 0x7FFF;

    /// <summary>"QNaN floating-point indefinite".</summary>
    internal static Float80 Indefinite => new(IntegerBit | QuietBit, 0xFFFF);

    internal static Float80 One => new(IntegerBit, Bias);

    internal bool Negative => (SignExponent & 0x8000) != 0;

    internal bool IsZero => BiasedExponent == 0 && Significand == 0;

    /// <summary>Denormals, and those with the integer bit set ("pseudo-denormals"), which mean the same as the smallest normal numbers.</summary>
    internal bool IsDenormal => BiasedExponent == 0 && Significand != 0;

    /// <summary>Formats of the 8087 without meaning now: invalid operands (volume 1, section 8.2.2).</summary>
    internal bool IsUnsupported => BiasedExponent != 0 && (Significand & IntegerBit) == 0;

    internal bool IsInfinity => BiasedExponent == MaximumBiased && Significand == IntegerBit;

    internal bool IsNaN => BiasedExponent == MaximumBiased && Significand > IntegerBit;

    internal bool IsSignaling => IsNaN && (Significand & QuietBit) == 0;

    internal bool IsFinite => BiasedExponent != MaximumBiased && !IsUnsupported;

    internal int BiasedExponent => SignExponent & MaximumBiased;

    internal static Float80 Zero(bool negative) => new(0, Sign(negative));

    internal static Float80 Infinity(bool negative) => new(IntegerBit, (ushort)(Sign(negative) | MaximumBiased));

    internal static Float80 FromInteger(long value)
        => value == 0 ? Zero(false) : FromExact(ExactValue.FromInteger(value < 0, value < 0 ? 0 - (ulong)value : (ulong)value));

    /// <summary>
    /// Rounds. Overflow and underflow that are not masked give the result with an exponent that is 24576 less or more (volume 1,
    /// sections 8.5.4 and 8.5.5); what lies outside the format even then is infinity or zero.
    /// </summary>
    internal static Float80 From(in ExactValue value, FloatFormat format, ref FloatStatus status)
    {
        const int Adjustment = 24576;
        FloatFlags before = status.Flags;
        status.Flags = FloatFlags.None;
        RoundedValue rounded = RoundedValue.From(in value, format, ref status);
        FloatFlags unmasked = status.Flags & ~status.Masks;
        status.Flags |= before;
        if (rounded.IsInfinity)
        {
            return Infinity(rounded.Negative);
        }

        int exponent = rounded.Exponent
            + ((unmasked & FloatFlags.Underflow) != 0 ? Adjustment : (unmasked & FloatFlags.Overflow) != 0 ? -Adjustment : 0);
        if ((rounded.Significand & IntegerBit) == 0)
        {
            return new(rounded.Significand, Sign(rounded.Negative));
        }

        if (exponent > Bias || exponent <= -Bias)
        {
            status.Raise(FloatFlags.Precision);
            status.RoundedUp = exponent > Bias;
            return exponent > Bias ? Infinity(rounded.Negative) : Zero(rounded.Negative);
        }

        return new(rounded.Significand, (ushort)(Sign(rounded.Negative) | exponent + Bias));
    }

    /// <summary>From an exact value that needs no rounding.</summary>
    internal static Float80 FromExact(in ExactValue value)
    {
        FloatStatus status = new(RoundingMode.NearestEven, FloatFlags.All);
        return From(in value, FloatFormat.Extended, ref status);
    }

    internal Float80 Negate() => new(Significand, (ushort)(SignExponent ^ 0x8000));

    internal Float80 Abs() => new(Significand, (ushort)(SignExponent & MaximumBiased));

    internal Float80 Quiet() => new(Significand | QuietBit, SignExponent);

    /// <summary>A finite number other than zero.</summary>
    internal ExactValue Unpack()
        => ExactValue.Normalize(Negative, (BiasedExponent == 0 ? 1 : BiasedExponent) - Bias, new UInt128(Significand, 0));

    private static ushort Sign(bool negative) => negative ? (ushort)0x8000 : (ushort)0;
}
