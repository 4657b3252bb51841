// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>What decoding found.</summary>
public enum DecodeStatus : byte
{
    /// <summary>A valid encoding, executable or not.</summary>
    Decoded,

    /// <summary>The bytes given end inside the instruction; nothing said so far rules it out.</summary>
    NeedMoreBytes,

    /// <summary>No processor mode defines this encoding here: #UD.</summary>
    Invalid,

    /// <summary>The instruction does not end within 15 bytes: #GP(0) (volume 2, instruction length).</summary>
    TooLong,
}
