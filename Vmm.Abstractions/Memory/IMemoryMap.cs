// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;

namespace Vmm.Abstractions.Memory;

/// <summary>
/// The memory segments of a VM and where they lie in its guest-physical space. A change needs every vCPU frozen, which
/// the caller shows with the token that freezing returns; a look does not.
/// </summary>
public interface IMemoryMap
{
    /// <summary>Allocates a segment; its contents are zero.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="segment">The number to give it.</param>
    /// <param name="length">Bytes, a positive multiple of 4096.</param>
    /// <param name="isSystemMemory">RAM, kept mapped across a reset, and not the memory of a device.</param>
    /// <param name="options">How the host memory is obtained.</param>
    /// <exception cref="VmmException">
    /// EINVAL: the number is out of range, or the length is; or the number is in use for a segment of another length or
    /// kind. EEXIST: it is in use for an equal segment. ENOMEM: the host has no memory.
    /// </exception>
    [VmmKernelSymbol("vm_alloc_memseg")]
    void AllocateSegment(
        IVcpuFreeze freeze,
        SegmentId segment,
        ulong length,
        bool isSystemMemory,
        GuestMemoryOptions options = default);

    /// <summary>Frees a segment's number; memory under a live mapping stays until the mapping goes.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="segment">The number; without effect when it is not in use.</param>
    /// <exception cref="VmmException">EINVAL: the number is out of range.</exception>
    [VmmKernelSymbol("vm_free_memseg")]
    void FreeSegment(IVcpuFreeze freeze, SegmentId segment);

    /// <summary>Places a part of a segment at a guest-physical address.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="mapping">The mapping.</param>
    /// <exception cref="VmmException">
    /// In this order: EINVAL for the protection, the flags, the segment's number, a segment not allocated, a range outside
    /// the segment, a misalignment; ENOSPC: no free slot; EFAULT: overlap with another mapping or beyond the guest's
    /// address space, the hypervisor refuses the mapping, or the host to keep its pages in: the inner exception is that refusal.
    /// </exception>
    [VmmKernelSymbol("vm_mmap_memseg")]
    void Map(IVcpuFreeze freeze, in GuestMemoryMapping mapping);

    /// <summary>Removes a mapping.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="address">The mapping's address.</param>
    /// <param name="length">The mapping's whole length.</param>
    /// <exception cref="VmmException">EINVAL: there is no mapping with exactly this address and length.</exception>
    [VmmKernelSymbol("vm_munmap_memseg")]
    void Unmap(IVcpuFreeze freeze, GuestPhysicalAddress address, ulong length);

    /// <summary>The mapping with the lowest address that is not below the given one.</summary>
    /// <param name="from">Where to begin; add the length to the address of the last one to go on.</param>
    /// <param name="mapping">The mapping.</param>
    /// <returns><see langword="false"/> (ENOENT) when there is none.</returns>
    [VmmKernelSymbol("vm_mmap_getnext")]
    bool TryGetNext(GuestPhysicalAddress from, out GuestMemoryMapping mapping);

    /// <summary>A segment.</summary>
    /// <param name="segment">The number.</param>
    /// <returns>The segment; length 0 when the number is not in use.</returns>
    /// <exception cref="VmmException">EINVAL: the number is out of range.</exception>
    [VmmKernelSymbol("vm_get_memseg")]
    MemorySegmentInfo GetSegment(SegmentId segment);

    /// <summary>The address behind the last byte of mapped RAM; 0 when there is none.</summary>
    [VmmKernelSymbol("vmm_sysmem_maxaddr")]
    GuestPhysicalAddress SystemMemoryEnd { get; }

    /// <summary>Whether memory is mapped at an address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>Whether a mapping contains it.</returns>
    [VmmKernelSymbol("vm_mem_allocated")]
    bool IsAllocated(GuestPhysicalAddress address);
}
