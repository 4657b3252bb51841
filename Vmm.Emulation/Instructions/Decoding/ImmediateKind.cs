// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>Where an encoding keeps its immediate, and how it is extended.</summary>
internal enum ImmediateKind : byte
{
    None,

    /// <summary>One byte, sign-extended to the operand size.</summary>
    SignedByte,

    /// <summary>One byte, unsigned.</summary>
    Byte,

    /// <summary>Two bytes, unsigned.</summary>
    Word,

    /// <summary>Two or four bytes by operand size (four for 64 bits), sign-extended.</summary>
    Z,

    /// <summary>Two, four or eight bytes by operand size.</summary>
    V,

    /// <summary>An address of the address size.</summary>
    Offset,

    /// <summary>A far pointer: offset of two or four bytes, then the selector in bits 32-47 of the immediate.</summary>
    FarPointer,

    /// <summary>Two bytes, then one in bits 16-23 (ENTER).</summary>
    WordByte,
}
