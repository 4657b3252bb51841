// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>RC of MXCSR and of the x87 control word (volume 1, table 4-8).</summary>
internal enum RoundingMode : byte
{
    NearestEven,
    Down,
    Up,
    TowardZero,
}
