// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>What a row asks of W, L and B.</summary>
[Flags]
internal enum Wide : byte
{
    None = 0,
    W0 = 1,
    W1 = 2,
    L0 = 4,
    L1 = 8,

    /// <summary>Outside 64-bit mode W counts as 0.</summary>
    W64 = 16,

    /// <summary>REX.B is clear, or set.</summary>
    B0 = 32,
    B1 = 64,

    W0L0 = W0 | L0,
    W0L1 = W0 | L1,
    W1L0 = W1 | L0,
    W1L1 = W1 | L1,
}
