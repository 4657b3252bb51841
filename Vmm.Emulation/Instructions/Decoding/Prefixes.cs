// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The prefixes of an instruction, and what the decoder noted beside them.</summary>
[Flags]
internal enum Prefixes : ushort
{
    None = 0,
    OperandSize = 1 << 0,
    W = 1 << 1,
    AddressSize = 1 << 2,
    Lock = 1 << 3,
    Rep = 1 << 4,
    Repne = 1 << 5,
    Rex = 1 << 6,
    Vex = 1 << 7,
    L = 1 << 8,

    /// <summary>A segment override that counts in this mode.</summary>
    Segment = 1 << 9,

    /// <summary>ModRM names a memory operand.</summary>
    Memory = 1 << 10,
}
