// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Status flags that an instruction leaves undefined, by its page in volume 2, section "Flags Affected".</summary>
internal static class UndefinedFlags
{
    private const ulong C = 1;
    private const ulong P = 4;
    private const ulong A = 0x10;
    private const ulong Z = 0x40;
    private const ulong S = 0x80;
    private const ulong O = 0x800;

    internal static ulong Of(in Instruction instruction, ulong count) => instruction.Operation switch
    {
        Operation.And or Operation.Or or Operation.Xor or Operation.Test or Operation.Andn or Operation.Blsi or Operation.Blsmsk
            or Operation.Blsr or Operation.Bzhi => A | (instruction.IsVex ? P : 0),
        Operation.Bextr => A | S | P,
        Operation.Mul or Operation.Imul => S | Z | A | P,
        Operation.Div or Operation.Idiv => C | O | S | Z | A | P,
        Operation.Bt or Operation.Bts or Operation.Btr or Operation.Btc => O | S | A | P,
        Operation.Bsf or Operation.Bsr => C | O | S | A | P,
        Operation.Tzcnt or Operation.Lzcnt => O | S | P | A,
        Operation.Rol or Operation.Ror or Operation.Rcl or Operation.Rcr => count == 1 ? 0 : O,
        Operation.Shl or Operation.Sal or Operation.Shr or Operation.Sar => (count == 1 ? 0 : count == 0 ? 0 : O | A) | (count == 1 ? A : 0)
            | (count >= (ulong)instruction.OperandSize * 8 ? C : 0),
        Operation.Shld or Operation.Shrd => count > (ulong)instruction.OperandSize * 8 ? C | P | A | Z | S | O : count == 1 ? A : count == 0 ? 0 : A | O,
        _ => 0,
    };

    /// <summary>The destination itself is undefined: a double shift by more than its size, and BSWAP of 16 bits.</summary>
    internal static bool HasUndefinedResult(in Instruction instruction, ulong count)
        => instruction.Operation is Operation.Shld or Operation.Shrd && count > (ulong)instruction.OperandSize * 8
            || instruction.Operation == Operation.Bswap && instruction.OperandSize == 2;

    /// <summary>The count of a shift or rotate, masked as the processor does.</summary>
    /// <param name="instruction">The instruction; for others the number has no meaning.</param>
    /// <param name="rcx">RCX before it.</param>
    internal static ulong ShiftCount(in Instruction instruction, ulong rcx)
    {
        ulong count = instruction.Pattern switch
        {
            Pattern.E1 => 1,
            Pattern.Ecl or Pattern.EGcl => rcx,
            _ => instruction.Immediate,
        };
        return count & (instruction.OperandSize == 8 ? 63u : 31u);
    }
}
