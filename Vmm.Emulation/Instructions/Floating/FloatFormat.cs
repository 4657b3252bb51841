// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>What a result is rounded to (volume 1, table 4-2).</summary>
/// <param name="Precision">Bits of the significand, the integer bit included: at most 64.</param>
/// <param name="MaximumExponent">The greatest exponent; the least one of a normal number is 1 less this.</param>
internal readonly record struct FloatFormat(int Precision, int MaximumExponent)
{
    internal static FloatFormat Single => new(24, 127);

    internal static FloatFormat Double => new(53, 1023);

    internal static FloatFormat Extended => new(64, 16383);
}
