// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>The hidden part of a segment register (<c>struct seg_desc</c>).</summary>
/// <param name="Base">The linear base address.</param>
/// <param name="Limit">The limit in bytes, already scaled when the granularity bit is set.</param>
/// <param name="Access">The access rights; for IDTR and GDTR without meaning and read as 0.</param>
[VmmKernelSymbol("seg_desc")]
public readonly record struct SegmentDescriptor(ulong Base, uint Limit, SegmentAccess Access);
