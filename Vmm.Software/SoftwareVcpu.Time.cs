// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Software;

/// <content>The time-stamp counter, which counts by the VM's clock.</content>
internal sealed partial class SoftwareVcpu : IBackendVcpuTime
{
    /// <inheritdoc/>
    public bool TakesTscOffset => true;

    /// <inheritdoc/>
    public long TscFrequency => SoftwareClock.Frequency;

    /// <inheritdoc/>
    public bool TryGetTscOffset(out ulong offset)
    {
        offset = _msrs.TscOffset;
        return true;
    }

    /// <inheritdoc/>
    public bool TrySetTscOffset(ulong offset)
    {
        _msrs.TscOffset = offset;
        return true;
    }

    /// <inheritdoc/>
    /// <remarks>There is no paravirtual clock.</remarks>
    public bool TryTellPause() => false;
}
