// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>What a hypervisor does with the time of a vCPU. An optional interface of a backend vCPU; for its owner.</summary>
public interface IBackendVcpuTime
{
    /// <summary>
    /// Whether the guest's time-stamp counter may differ from the host's: an offset that is set reads back. Otherwise a guest begins with the
    /// host's count, and writes to the counter are lost.
    /// </summary>
    bool TakesTscOffset { get; }

    /// <summary>Tells a guest that uses the paravirtual clock that it was stopped for a while, so that its watchdogs do not bark.</summary>
    /// <returns><see langword="false"/> where this guest does not use the clock, or the host cannot tell.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    bool TryTellPause();
}
