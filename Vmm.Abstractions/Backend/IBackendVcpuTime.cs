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

    /// <summary>The rate of the guest's TSC in Hz; 0 when it is not known.</summary>
    /// <exception cref="VmmException">What the host refuses.</exception>
    long TscFrequency { get; }

    /// <summary>Sets what <see cref="IBackendVcpu.TryGetTscOffset"/> tells.</summary>
    /// <param name="offset">The offset.</param>
    /// <returns><see langword="false"/> where <see cref="TakesTscOffset"/> is.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    bool TrySetTscOffset(ulong offset);

    /// <summary>Tells a guest that uses the paravirtual clock that it was stopped for a while, so that its watchdogs do not bark.</summary>
    /// <returns><see langword="false"/> where this guest does not use the clock, or the host cannot tell.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    bool TryTellPause();
}
