// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine;

/// <content>The pages that were written.</content>
public sealed partial class VirtualMachine : IDirtyPageTracking
{
    /// <inheritdoc/>
    public void TrackDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap) =>
        _memoryMap.TrackDirtyPages(address, length, bitmap);

    /// <inheritdoc/>
    public void PeekDirtyPages(GuestPhysicalAddress address, ulong length, Span<byte> bitmap) =>
        _memoryMap.PeekDirtyPages(address, length, bitmap);

    /// <inheritdoc/>
    public void MarkDirtyPages(GuestPhysicalAddress address, ulong length) => _memoryMap.MarkDirtyPages(address, length);

    /// <inheritdoc/>
    public ulong TakeDirtyRuns(ICollection<GuestPhysicalRange> runs) => _memoryMap.TakeDirtyRuns(runs);
}
