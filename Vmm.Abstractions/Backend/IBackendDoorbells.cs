// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// Writes of the guest that the hypervisor turns into signals or collects. An optional interface of a backend VM; any thread. The engine
/// checks what is registered, and keeps it from overlapping.
/// </summary>
public interface IBackendDoorbells
{
    /// <summary>Adds one to an eventfd at each write to a register.</summary>
    /// <param name="doorbell">The register.</param>
    /// <param name="target">The eventfd; the caller keeps it open until the registration ends.</param>
    /// <returns>
    /// The registration, whose disposal ends it; null where the hypervisor cannot watch this register, or has no room: such writes
    /// are exits.
    /// </returns>
    /// <exception cref="VmmException">What the host refuses for other reasons.</exception>
    IDisposable? TryAttachDoorbell(in Doorbell doorbell, SafeHandle target);

    /// <summary>Collects the writes to a range; <see cref="IBackendCollectedWrites"/> gives them out.</summary>
    /// <param name="bus">Where the range is.</param>
    /// <param name="first">Its first address or port.</param>
    /// <param name="length">Its length.</param>
    /// <returns>The registration, whose disposal ends it; null where the hypervisor collects no such writes, or has no room.</returns>
    /// <exception cref="VmmException">What the host refuses for other reasons.</exception>
    IDisposable? TryCollect(BusKind bus, ulong first, uint length);
}
