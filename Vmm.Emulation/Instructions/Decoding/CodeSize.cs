// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The default size of code: CS.D, or CS.L in long mode (volume 3, code segment descriptor in 64-bit mode).</summary>
public enum CodeSize : byte
{
    /// <summary>Real, virtual-8086 and 16-bit protected or compatibility mode.</summary>
    Bits16,

    /// <summary>32-bit protected or compatibility mode.</summary>
    Bits32,

    /// <summary>64-bit mode.</summary>
    Bits64,
}
