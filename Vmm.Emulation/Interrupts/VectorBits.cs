// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>One bit for each of 256 vectors.</summary>
/// <param name="Bits0">Vectors 0 to 63.</param>
/// <param name="Bits64">Vectors 64 to 127.</param>
/// <param name="Bits128">Vectors 128 to 191.</param>
/// <param name="Bits192">Vectors 192 to 255.</param>
public readonly record struct VectorBits(ulong Bits0, ulong Bits64, ulong Bits128, ulong Bits192)
{
    /// <summary>Whether no bit is set.</summary>
    public bool IsEmpty => (Bits0 | Bits64 | Bits128 | Bits192) == 0;

    /// <summary>Whether a vector's bit is set.</summary>
    /// <param name="vector">The vector.</param>
    public bool this[byte vector] => (Word(vector >> 6) >> (vector & 63) & 1) != 0;

    /// <summary>The bits of one vector only.</summary>
    /// <param name="vector">The vector.</param>
    /// <returns>The bits.</returns>
    public static VectorBits Of(byte vector)
    {
        ulong bit = 1UL << (vector & 63);
        return (vector >> 6) switch
        {
            0 => new(bit, 0, 0, 0),
            1 => new(0, bit, 0, 0),
            2 => new(0, 0, bit, 0),
            _ => new(0, 0, 0, bit),
        };
    }

    /// <summary>The bits of these and others.</summary>
    /// <param name="other">The others.</param>
    /// <returns>Both together.</returns>
    public VectorBits Union(VectorBits other) =>
        new(Bits0 | other.Bits0, Bits64 | other.Bits64, Bits128 | other.Bits128, Bits192 | other.Bits192);

    /// <summary>The bits of these without others.</summary>
    /// <param name="other">The others.</param>
    /// <returns>What is left.</returns>
    public VectorBits Except(VectorBits other) =>
        new(Bits0 & ~other.Bits0, Bits64 & ~other.Bits64, Bits128 & ~other.Bits128, Bits192 & ~other.Bits192);

    internal ulong Word(int index) => index switch
    {
        0 => Bits0,
        1 => Bits64,
        2 => Bits128,
        _ => Bits192,
    };
}
