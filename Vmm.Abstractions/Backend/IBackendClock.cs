// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The paravirtual clock that a hypervisor keeps for the guests of a VM. An optional interface of a backend VM; while no vCPU runs.
/// </summary>
public interface IBackendClock
{
    /// <summary>Reads the clock.</summary>
    /// <param name="nanoseconds">What the guest would see; it begins with the VM.</param>
    /// <returns><see langword="false"/> where this host keeps none.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    bool TryReadClock(out ulong nanoseconds);

    /// <summary>Sets the clock; guests see it at their next entry.</summary>
    /// <param name="nanoseconds">What the guest shall see.</param>
    /// <exception cref="VmmException">What the host refuses.</exception>
    void WriteClock(ulong nanoseconds);
}
