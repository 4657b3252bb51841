// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Exceptions, in the order that MXCSR, the x87 status word and their masks share (volume 1, sections 8.1.3 and 10.2.3).</summary>
[Flags]
internal enum FloatFlags : byte
{
    None = 0,
    Invalid = 1,
    Denormal = 2,
    ZeroDivide = 4,
    Overflow = 8,
    Underflow = 16,
    Precision = 32,

    /// <summary>Those that are known before anything is computed.</summary>
    Operands = Invalid | Denormal | ZeroDivide,

    All = 63,
}
