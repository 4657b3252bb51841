// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;

namespace Vmm.Abstractions.Devices;

/// <summary>
/// How a device learns of the guest's writes without an exit for each. An optional interface of a VM; any thread.
/// </summary>
/// <remarks>
/// <para>
/// A registration means the same in every VM: where the hypervisor has no such thing the engine does it at the write's exit, and
/// whatever executes the guest's instruction, the counter is signalled once for each write.
/// </para>
/// <para>
/// Registrations stand until they are disposed, across a reinitialization too. Doorbells and coalesced ranges of one bus do not overlap
/// each other; they may lie within the range of a handler, and doorbells then come first. Where memory is mapped that the guest may
/// write, its writes reach neither.
/// </para>
/// </remarks>
public interface IDeviceNotifications
{
    /// <summary>Makes a counter at zero, of the kind that the hypervisor can signal if it can signal any.</summary>
    /// <returns>The counter, owned by the caller.</returns>
    /// <exception cref="VmmException">What the host refuses.</exception>
    IEventCounter CreateEventCounter();

    /// <summary>
    /// Signals a counter by one at each of the guest's writes to a register, in place of a handler. Reads, and writes of another width or
    /// value, go the usual way. Takes effect for writes that begin afterwards.
    /// </summary>
    /// <param name="doorbell">The register.</param>
    /// <param name="counter">The counter; the caller disposes it after the registration.</param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">
    /// EINVAL: a bus, width, address or value that cannot be; EEXIST: it overlaps a coalesced range, or a doorbell that does not differ in the value
    /// alone.
    /// </exception>
    IDoorbellRegistration AttachDoorbell(in Doorbell doorbell, IEventCounter counter);

    /// <summary>
    /// Lets the hypervisor collect the guest's writes to a range. They reach the range's handlers in order, at the latest before the next exit
    /// of the vCPU that made them is handled, on that vCPU's thread or another's; what no handler takes is counted as unclaimed and
    /// dropped.
    /// </summary>
    /// <remarks>
    /// The handlers of such a range are called for one write at a time. While one is called others wait, so it must not wait for a vCPU. One that
    /// throws has taken its write.
    /// </remarks>
    /// <param name="bus">Where the range is.</param>
    /// <param name="first">Its first address or port.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">
    /// EINVAL: an empty range, or one that does not fit its bus or 32 bits of length; EEXIST: it overlaps a doorbell or a coalesced range.
    /// </exception>
    ICoalescedRange Coalesce(BusKind bus, ulong first, ulong length);
}
