// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>One page-bounded piece of a copy plan (<c>struct vm_copyinfo</c>).</summary>
/// <param name="Address">Its guest-physical address.</param>
/// <param name="Length">Its length in bytes, 1 to 4096.</param>
/// <param name="Access">The access that it was planned for.</param>
/// <param name="Block">The memory that holds it; a reference is held by the plan.</param>
/// <param name="BlockOffset">Its first byte within the block.</param>
[VmmKernelSymbol("vm_copyinfo")]
public readonly record struct GuestCopyChunk(
    [property: VmmKernelSymbol("vm_copyinfo.gpa")] GuestPhysicalAddress Address,
    [property: VmmKernelSymbol("vm_copyinfo.len")] int Length,
    [property: VmmKernelSymbol("vm_copyinfo.prot")] MemoryProtection Access,
    [property: VmmKernelSymbol("vm_copyinfo.cookie")] GuestMemoryBlock Block,
    [property: VmmKernelSymbol("vm_copyinfo.hva")] ulong BlockOffset);
