// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>What operands a vector operation has and what becomes of them.</summary>
internal enum VectorKind : byte
{
    None,

    /// <summary>Both operands lane by lane; a lane is 128 bits, or 64 in MMX.</summary>
    Lanes,

    /// <summary>One operand lane by lane.</summary>
    Unary,

    /// <summary>One operand and an immediate.</summary>
    UnaryImmediate,

    /// <summary>Both operands and an immediate.</summary>
    LanesImmediate,

    /// <summary>Shift of all elements by the low 64 bits of a register or memory.</summary>
    ShiftByRegister,
    ShiftByImmediate,

    /// <summary>MOVDDUP, whose 128-bit form takes 64 bits.</summary>
    DuplicateDouble,
    BlendVariable,
    Test,
    Extend,
    Insert,
    Extract,
    InsertSingle,
    MaskMove,
    StringCompare,

    FloatBinary,
    FloatSquareRoot,
    FloatApproximate,
    FloatCompare,

    /// <summary>COMISS and its kind, which set RFLAGS.</summary>
    FloatOrder,
    FloatRound,

    /// <summary>HADDPS, HSUBPS, ADDSUBPS and their kind.</summary>
    FloatPairs,
    FloatDot,
    FloatMultiplyAdd,

    IntegerToScalar,
    ScalarToInteger,
    ScalarToScalar,
    PackedConvert,
    MmxConvert,
    HalfToSingle,
    SingleToHalf,

    Broadcast,
    InsertLane,
    ExtractLane,
    PermuteLanes,
    PermuteElements,
    PermuteQuads,
    PermuteInLane,
    MaskedLoadStore,
    Gather,
    VariableShift,
}
