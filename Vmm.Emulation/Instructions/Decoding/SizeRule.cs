// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>How an encoding chooses its operand size (volume 2, appendix A.2.2, and volume 1, section 3.6).</summary>
internal enum SizeRule : byte
{
    /// <summary>16, 32 or 64 bits by CS.D, prefix 66 and REX.W.</summary>
    V,

    /// <summary>8 bits.</summary>
    B,

    /// <summary>As V, but 64 bits is the default in 64-bit mode and 32 does not exist there.</summary>
    Default64,

    /// <summary>As V, but always 64 bits in 64-bit mode, whatever the prefixes.</summary>
    Force64,

    /// <summary>32 bits, or 64 with W; prefix 66 has no part in it.</summary>
    Y,

    /// <summary>16 bits.</summary>
    W,

    /// <summary>32 bits.</summary>
    D,

    /// <summary>64 bits.</summary>
    Q,

    /// <summary>64 bits in 64-bit mode, else 32.</summary>
    Native,

    /// <summary>16 or 32 bits; REX.W has no part in it.</summary>
    Z,
}
