// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>A part of a memory segment at a guest-physical address (<c>struct vm_memmap</c>).</summary>
/// <param name="Address">The first guest-physical address, a multiple of 4096.</param>
/// <param name="Length">The length in bytes, a positive multiple of 4096.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Offset">The first byte within the segment, a multiple of 4096.</param>
/// <param name="Protection">What the guest may do.</param>
/// <param name="Flags">How the mapping was made.</param>
public readonly record struct GuestMemoryMapping(
    GuestPhysicalAddress Address,
    ulong Length,
    SegmentId Segment,
    ulong Offset,
    MemoryProtection Protection,
    MapFlags Flags);
