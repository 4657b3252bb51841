// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Conversions to and from the x87's format.</summary>
internal static partial class BinaryFloat<TFormat>
{
    /// <summary>The same value; a signaling NaN still is one.</summary>
    internal static Float80 ToExtended(ulong bits, out bool isDenormal)
    {
        const ulong IntegerBit = 1UL << 63;
        isDenormal = IsDenormal(bits);
        bool negative = IsNegative(bits);
        return IsNaN(bits) ? new(IntegerBit | (bits & FractionMask) << 63 - FractionBits, negative ? (ushort)0xFFFF : (ushort)0x7FFF)
            : IsInfinity(bits) ? Float80.Infinity(negative)
            : IsZero(bits) ? Float80.Zero(negative)
            : Float80.FromExact(Unpack(bits));
    }

    internal static ulong FromExtended(Float80 value, ref FloatStatus status)
    {
        if (value.IsUnsupported)
        {
            return Fail(ref status);
        }

        if (value.IsNaN)
        {
            status.Raise(value.IsSignaling ? FloatFlags.Invalid : FloatFlags.None);
            return Zero(value.Negative) | InfinityBits | QuietBit | value.Significand << 1 >> 64 - FractionBits;
        }

        return value.IsInfinity ? Zero(value.Negative) | InfinityBits
            : value.IsZero ? Zero(value.Negative)
            : Round(value.Unpack(), ref status);
    }
}
