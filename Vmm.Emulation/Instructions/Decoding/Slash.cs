// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// What a row asks of the ModRM byte: nothing, <c>/r</c>, <c>/digit</c> with any operand (<c>S</c>), with a memory operand (<c>M</c>),
/// with a register operand (<c>G</c>), or, from <see cref="Exact"/> up, one exact value.
/// </summary>
internal enum Slash : ushort
{
    None,
    R,
    Mem,
    Reg,
    S0 = 8, S1, S2, S3, S4, S5, S6, S7,
    M0 = 16, M1, M2, M3, M4, M5, M6, M7,
    G0 = 24, G1, G2, G3, G4, G5, G6, G7,
    Exact = 0x100,
}
