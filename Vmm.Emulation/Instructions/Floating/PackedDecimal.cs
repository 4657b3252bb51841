// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Packed BCD integers of 18 digits and a sign (volume 1, section 4.7).</summary>
internal static class PackedDecimal
{
    private const int Digits = 18;
    private const long Limit = 1_000_000_000_000_000_000;

    internal static Float80 Read(ulong low, ushort high)
    {
        ulong value = (ulong)(high >> 4 & 15) * 10 + (ulong)(high & 15);
        for (int digit = 15; digit >= 0; digit--)
        {
            value = value * 10 + (low >> digit * 4 & 15);
        }

        bool negative = (high & 0x8000) != 0;
        return value == 0 ? Float80.Zero(negative) : Float80.FromExact(ExactValue.FromInteger(negative, value));
    }

    /// <summary>Rounds to an integer; one of more digits is an invalid operand and gives the packed indefinite.</summary>
    internal static (ulong Low, ushort High) Write(Float80 value, ref FloatStatus status)
    {
        FloatStatus attempt = status;
        bool fits = ExtendedFloat.TryToInteger(value, 64, status.Rounding, ref attempt, out long integer);
        if (!fits || integer is >= Limit or <= -Limit)
        {
            status.Raise(FloatFlags.Invalid);
            return (0xC000_0000_0000_0000, 0xFFFF);
        }

        status = attempt;
        ulong rest = (ulong)Math.Abs(integer);
        UInt128 packed = 0;
        for (int digit = 0; digit < Digits; digit++)
        {
            packed |= (UInt128)(rest % 10) << digit * 4;
            rest /= 10;
        }

        return ((ulong)packed, (ushort)((ushort)(packed >> 64) | (value.Negative ? 0x8000 : 0)));
    }
}
