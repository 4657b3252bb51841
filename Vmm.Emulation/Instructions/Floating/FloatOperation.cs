// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Arithmetic of two operands.</summary>
internal enum FloatOperation : byte
{
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
}
