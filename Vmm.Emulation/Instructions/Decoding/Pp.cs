// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The mandatory prefixes under which a row applies: none, 66, F3, F2.</summary>
[Flags]
internal enum Pp : byte
{
    NP = 1,
    P66 = 2,
    F3 = 4,
    F2 = 8,

    /// <summary>Without a prefix, or with 66 beside it.</summary>
    NP66 = NP | P66,

    /// <summary>Any of them; 66 is then the operand-size prefix. The last of F2 and F3 decides.</summary>
    Any = NP | P66 | F3 | F2,
}
