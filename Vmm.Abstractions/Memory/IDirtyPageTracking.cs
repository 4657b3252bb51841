// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>
/// Tells which pages of guest memory were written. An optional interface of a VM; every member may be called from any thread, also
/// while vCPUs run.
/// </summary>
/// <remarks>
/// A page counts as written when the guest wrote it, when the engine did on the guest's behalf (devices, page walks, emulated
/// instructions), and when the host did through <see cref="IGuestMemory"/>, a copy plan or a writable hold. Only a write through a
/// segment's own <see cref="GuestMemoryBlock"/> goes unseen. Copy a page after its bit was taken: a write during the copy sets the
/// bit again. Records are kept by guest-physical address, survive a reinitialization, and go with a mapping when it is removed.
/// </remarks>
public interface IDirtyPageTracking
{
    /// <summary>Reports the pages written since the last call, and forgets them.</summary>
    /// <param name="address">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, at most 1 GiB; 0 does nothing.</param>
    /// <param name="bitmap">
    /// Receives, by OR, bit i % 8 of byte i / 8 for page i; pages without memory contribute nothing.
    /// </param>
    /// <exception cref="Errors.VmmException">
    /// EPERM: the VM was made without tracking; EINVAL: misaligned or too long, or the bitmap is too short.
    /// </exception>
    [VmmKernelSymbol("vm_track_dirty_pages")]
    void TrackDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap);

    /// <summary>Reports as <see cref="TrackDirtyPages"/> does, and forgets nothing.</summary>
    /// <param name="address">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, at most 1 GiB; 0 does nothing.</param>
    /// <param name="bitmap">Receives bits by OR.</param>
    /// <exception cref="Errors.VmmException">As for <see cref="TrackDirtyPages"/>.</exception>
    void PeekDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap);

    /// <summary>Records pages as written: whoever took their bits and could not copy them gives them back.</summary>
    /// <param name="address">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096; pages without memory are passed over.</param>
    /// <exception cref="Errors.VmmException">EPERM: the VM was made without tracking; EINVAL: misaligned.</exception>
    void MarkDirtyPages(GuestPhysicalAddress address, ulong length);

    /// <summary>Reports all written pages of the VM at once, as runs in ascending order, and forgets them.</summary>
    /// <param name="runs">Runs of whole pages are added here; neighbours within one mapping are one run.</param>
    /// <returns>How many pages the runs have.</returns>
    /// <exception cref="Errors.VmmException">EPERM: the VM was made without tracking.</exception>
    ulong TakeDirtyRuns(ICollection<GuestPhysicalRange> runs);
}
