// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The written pages of a placement, as the hypervisor records them. An interface of what <see cref="IBackendVm.PlaceMemory"/> returns
/// for a placement with <see cref="MemoryPlacement.TrackDirty"/>; any thread, also while vCPUs run, until the placement is disposed.
/// </summary>
public interface IDirtyLog
{
    /// <summary>
    /// Takes over the record of pages that the guest wrote: sets their bits and forgets them, so that a later write is recorded
    /// again. A write that happens meanwhile is in this record or in the next one. Pages outside the range may be taken over too.
    /// </summary>
    /// <param name="firstPage">The first page, counted from the placement's start; a multiple of 64.</param>
    /// <param name="pages">How many; a multiple of 64, or up to the placement's end.</param>
    /// <param name="bits">One bit a page of the whole placement, in 64-bit words; bits are set atomically and never cleared.</param>
    void Drain(ulong firstPage, ulong pages, Span<ulong> bits);
}
