// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>One of the comparisons of CMPPS and VCMPPS (volume 2, CMPPD).</summary>
/// <param name="number">The immediate: 0 to 31.</param>
internal readonly struct FloatPredicate(int number)
{
    /// <summary>The relations that 0 to 15 accept: equal 1, less 2, greater 4, unordered 8. From 16 on they are the same.</summary>
    private static ReadOnlySpan<byte> Accepted => [1, 2, 3, 8, 14, 13, 12, 7, 9, 10, 11, 0, 6, 5, 4, 15];

    /// <summary>Whether QNaNs are invalid operands: 1, 2, 5, 6, 9, 10, 13 and 14 of the first half, the others of the second.</summary>
    internal bool Signals => ((number ^ number >> 1 ^ number >> 4) & 1) != 0;

    internal bool Accepts(FloatRelation relation) => (Accepted[number & 15] >> (int)relation & 1) != 0;
}
