// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The segment registers, indexed by <see cref="SegmentName"/>.</summary>
[InlineArray(8)]
public struct SegmentRegisters
{
    private SegmentState _element;
}
