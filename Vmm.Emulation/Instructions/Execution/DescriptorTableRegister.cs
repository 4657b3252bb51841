// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>GDTR or IDTR.</summary>
/// <param name="Base">The table's linear address.</param>
/// <param name="Limit">The offset of its last byte.</param>
public readonly record struct DescriptorTableRegister(ulong Base, ushort Limit);
