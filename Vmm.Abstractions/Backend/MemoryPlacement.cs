// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Abstractions.Backend;

/// <summary>A part of a memory block at a guest-physical range.</summary>
/// <param name="Range">Where; both ends on page boundaries.</param>
/// <param name="Block">The memory; the placement holds a reference.</param>
/// <param name="Offset">The first byte within the block, a multiple of 4096.</param>
/// <param name="ReadOnly">Whether a guest's write exits instead of changing memory.</param>
/// <param name="TrackDirty">Whether written pages are recorded.</param>
public readonly record struct MemoryPlacement(
    GuestPhysicalRange Range,
    GuestMemoryBlock Block,
    ulong Offset,
    bool ReadOnly,
    bool TrackDirty);
