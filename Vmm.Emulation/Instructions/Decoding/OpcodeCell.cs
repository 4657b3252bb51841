// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// The layout of one table cell, a packed <see cref="ulong"/>: the <see cref="Form"/> in the low 17 bits, <see cref="Traits"/>
/// above it, the <see cref="Operation"/> from bit 32. A cell that depends on more than opcode and prefix carries
/// <see cref="Traits.Selector"/> and, instead of an operation, a <see cref="SelectorKind"/> and the index of its children.
/// </summary>
internal static class OpcodeCell
{
    internal const int ImmediateShift = 7;
    internal const int ModRmShift = 11;
    internal const int SizeShift = 12;
    internal const int VvvvShift = 16;
    internal const int OperationShift = 32;
    internal const int SelectorKindShift = 32;
    internal const int SelectorIndexShift = 40;

    internal const ulong PatternMask = 0x7F;
    internal const ulong ModRm = 1UL << ModRmShift;
    internal const ulong Vvvv = 1UL << VvvvShift;

    /// <summary>A cell for encodings that exist nowhere: the operation is <see cref="Operation.Invalid"/>.</summary>
    internal const ulong Invalid = 0;

    internal static ulong Pack(Operation operation, Form form, Traits traits)
        => (ulong)operation << OperationShift | (uint)form | (uint)traits;

    internal static ulong Select(SelectorKind kind, int index, bool modRm)
        => (ulong)index << SelectorIndexShift | (ulong)kind << SelectorKindShift | (uint)Traits.Selector | (modRm ? ModRm : 0);
}
