// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Rounding to integers.</summary>
internal static class IntegerRounding
{
    /// <summary>Rounds to a signed integer of a width; false if it does not fit.</summary>
    internal static bool TryRound(in ExactValue value, RoundingMode mode, int width, out long result, out bool inexact, out bool roundedUp)
    {
        result = 0;
        inexact = roundedUp = false;
        if (value.Exponent >= 64)
        {
            return false;
        }

        ulong integer = value.Exponent < 0 ? 0 : (ulong)(value.Significand >> 127 - value.Exponent);
        UInt128 fraction = value.Exponent < 0
            ? ExactValue.ShiftRightSticky(value.Significand, -1 - value.Exponent)
            : value.Significand << value.Exponent + 1;
        ulong rest = (ulong)(fraction >> 64) | ((ulong)fraction != 0 ? 1u : 0u);
        inexact = rest != 0;
        roundedUp = RoundedValue.IsRoundedUp(value.Negative, rest, (integer & 1) != 0, mode);
        if (roundedUp && ++integer == 0)
        {
            return false;
        }

        ulong most = 1UL << width - 1;
        if (value.Negative ? integer > most : integer >= most)
        {
            return false;
        }

        result = value.Negative ? (long)(0 - integer) : (long)integer;
        return true;
    }
}
