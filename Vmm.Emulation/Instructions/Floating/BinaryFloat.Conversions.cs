// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Conversions to and from integers and other formats.</summary>
internal static partial class BinaryFloat<TFormat>
{
    internal static ulong FromInteger(long value, ref FloatStatus status)
        => value == 0 ? 0 : Round(ExactValue.FromInteger(value < 0, value < 0 ? (ulong)-value : (ulong)value), ref status);

    /// <summary>Rounds to a signed integer; what does not fit is an invalid operand and gives the integer indefinite.</summary>
    internal static long ToInteger(ulong bits, int width, RoundingMode mode, ref FloatStatus status)
    {
        bits = Flush(bits, in status);
        if (IsZero(bits))
        {
            return 0;
        }

        long indefinite = long.MinValue >> 64 - width;
        if (IsNaN(bits) || IsInfinity(bits))
        {
            status.Raise(FloatFlags.Invalid);
            return indefinite;
        }

        ExactValue value = Unpack(bits);
        if (!IntegerRounding.TryRound(in value, mode, width, out long result, out bool inexact, out _))
        {
            status.Raise(FloatFlags.Invalid);
            return indefinite;
        }

        status.Raise(inexact ? FloatFlags.Precision : FloatFlags.None);
        return result;
    }

    /// <summary>Rounds to an integer in the same format (ROUNDSS and its kind).</summary>
    internal static ulong RoundToIntegral(ulong bits, RoundingMode mode, bool suppressesPrecision, ref FloatStatus status)
    {
        bits = Flush(bits, in status);
        if (IsNaN(bits))
        {
            return Quiet(bits, ref status);
        }

        if (IsZero(bits) || IsInfinity(bits))
        {
            return bits;
        }

        ExactValue value = Unpack(bits);
        if (value.Exponent >= FractionBits)
        {
            return bits;
        }

        _ = IntegerRounding.TryRound(in value, mode, 64, out long result, out bool inexact, out _);
        if (inexact && !suppressesPrecision)
        {
            status.Raise(FloatFlags.Precision);
        }

        FloatStatus exact = default;
        return FromInteger(Math.Abs(result), ref exact) | bits & SignBit;
    }

    /// <summary>Converts to another format.</summary>
    internal static ulong ConvertTo<TTarget>(ulong bits, ref FloatStatus status)
        where TTarget : struct, IBinaryFormat
    {
        bits = Flush(bits, in status);
        return BinaryFloat<TTarget>.Assemble(
            IsNaN(bits), IsSignaling(bits), IsInfinity(bits), IsZero(bits), IsDenormal(bits), IsNegative(bits),
            (bits & FractionMask) << 64 - FractionBits, IsNaN(bits) || IsInfinity(bits) || IsZero(bits) ? default : Unpack(bits), ref status);
    }

    private static ulong Assemble(
        bool isNaN, bool isSignaling, bool isInfinity, bool isZero, bool isDenormal, bool negative, ulong fraction, in ExactValue value, ref FloatStatus status)
    {
        if (isNaN)
        {
            // The upper bits of the payload stay (volume 1, section 4.8.3.5).
            status.Raise(isSignaling ? FloatFlags.Invalid : FloatFlags.None);
            return Zero(negative) | InfinityBits | QuietBit | fraction >> 64 - FractionBits;
        }

        if (isInfinity || isZero)
        {
            return Zero(negative) | (isInfinity ? InfinityBits : 0);
        }

        status.Raise(isDenormal ? FloatFlags.Denormal : FloatFlags.None);
        return Round(in value, ref status);
    }
}
