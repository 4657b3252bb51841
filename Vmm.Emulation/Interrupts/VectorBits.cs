// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>One bit for each of 256 vectors.</summary>
/// <param name="Bits0">Vectors 0 to 63.</param>
/// <param name="Bits64">Vectors 64 to 127.</param>
/// <param name="Bits128">Vectors 128 to 191.</param>
/// <param name="Bits192">Vectors 192 to 255.</param>
public readonly record struct VectorBits(ulong Bits0, ulong Bits64, ulong Bits128, ulong Bits192)
{
    /// <summary>Whether a vector's bit is set.</summary>
    /// <param name="vector">The vector.</param>
    public bool this[byte vector] => (Word(vector >> 6) >> (vector & 63) & 1) != 0;

    internal ulong Word(int index) => index switch
    {
        0 => Bits0,
        1 => Bits64,
        2 => Bits128,
        _ => Bits192,
    };
}
