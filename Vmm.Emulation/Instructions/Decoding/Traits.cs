// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>Properties of an encoding beside its operands; they share a cell with the form.</summary>
[Flags]
internal enum Traits : uint
{
    None = 0,

    /// <summary>LOCK is permitted when the destination is memory.</summary>
    Lock = 1 << 17,

    /// <summary>Does not exist in 64-bit mode ("i64" in the manual's opcode map).</summary>
    No64 = 1 << 18,

    /// <summary>Exists in 64-bit mode only ("o64").</summary>
    Only64 = 1 << 19,

    /// <summary>The operand in ModRM.rm must be memory.</summary>
    Memory = 1 << 20,

    /// <summary>The operand in ModRM.rm must be a register.</summary>
    Register = 1 << 21,

    /// <summary>ModRM.mod is ignored: the operand in ModRM.rm is a register whatever it says (MOV CR, MOV DR).</summary>
    ModIgnored = 1 << 22,

    /// <summary>The memory operand is a vector of addresses and needs a SIB byte.</summary>
    VectorSib = 1 << 23,

    /// <summary>A prefix; the decoder's prefix loop consumes it.</summary>
    Prefix = 1 << 24,

    /// <summary>An escape to another map.</summary>
    Escape = 1 << 25,

    /// <summary>The cell is a choice among children.</summary>
    Selector = 1 << 26,

    /// <summary>Does not exist with prefix 66 although 66 is not its mandatory prefix.</summary>
    NoOperandSize = 1 << 27,

    /// <summary>All of the traits that need a look after the operands are known.</summary>
    Checked = No64 | Only64 | Memory | Register | ModIgnored | VectorSib | NoOperandSize,
}
