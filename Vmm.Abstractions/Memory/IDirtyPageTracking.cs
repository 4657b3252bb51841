// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>Tells which pages of guest memory were written. An optional interface of a VM.</summary>
public interface IDirtyPageTracking
{
    /// <summary>
    /// Reports the pages written since the last call, by the guest or by the host, and forgets them. Any thread, also
    /// while vCPUs run.
    /// </summary>
    /// <param name="address">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, at most 1 GiB; 0 does nothing.</param>
    /// <param name="bitmap">
    /// Receives, by OR, bit i % 8 of byte i / 8 for page i; pages without memory contribute nothing.
    /// </param>
    /// <exception cref="Errors.VmmException">EPERM: the VM was made without tracking; EINVAL: misaligned or too long.</exception>
    [VmmKernelSymbol("vm_track_dirty_pages")]
    void TrackDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap);
}
