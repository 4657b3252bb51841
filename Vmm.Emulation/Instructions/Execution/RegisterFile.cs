// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The general registers with two more behind them, so that an effective address is a sum without a question: one that is always 0,
/// for an absent base or index, and the address of the next instruction, for RIP-relative operands. The numbers are those of
/// <see cref="Decoding.Instruction.NoRegister"/> and <see cref="Decoding.Instruction.RipRegister"/>.
/// </summary>
[InlineArray(18)]
internal struct RegisterFile
{
    private ulong _element;
}
