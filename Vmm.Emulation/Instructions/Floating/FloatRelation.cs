// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>How two numbers compare.</summary>
internal enum FloatRelation : byte
{
    Equal,
    Less,
    Greater,
    Unordered,
}
