// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>A memory segment as <c>vm_get_memseg</c> reports it.</summary>
/// <param name="Length">Bytes; 0 when the number is not in use.</param>
/// <param name="IsSystemMemory">RAM, and not the memory of a device.</param>
/// <param name="Block">The memory, or null when the number is not in use.</param>
public readonly record struct MemorySegmentInfo(ulong Length, bool IsSystemMemory, GuestMemoryBlock? Block);
