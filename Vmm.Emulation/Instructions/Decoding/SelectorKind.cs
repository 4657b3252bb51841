// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>What chooses among the children of a cell.</summary>
internal enum SelectorKind : byte
{
    /// <summary>ModRM.reg, and whether ModRM.rm names a register: 16 children, those for registers last.</summary>
    Group,

    /// <summary>ModRM.rm: 8 children.</summary>
    Rm,

    /// <summary>REX.W or VEX.W: 2 children.</summary>
    W,

    /// <summary>As <see cref="W"/>, but W counts as 0 outside 64-bit mode.</summary>
    W64,

    /// <summary>VEX.L: 2 children.</summary>
    L,

    /// <summary>REX.B: 2 children.</summary>
    B,
}
