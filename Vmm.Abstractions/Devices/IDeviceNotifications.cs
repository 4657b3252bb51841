// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Devices;

/// <summary>
/// How a device learns of the guest's writes without an exit for each. An optional interface of a VM; any thread.
/// </summary>
/// <remarks>
/// <para>
/// A registration means the same in every VM: where the hypervisor has no such thing the engine does it at the write's exit, and
/// whatever executes the guest's instruction, one is added for each write.
/// </para>
/// <para>
/// Registrations stand until they are disposed, across a reinitialization too. Doorbells and coalesced ranges of one bus do not overlap
/// each other; they may lie within the range of a handler, and doorbells then come first. Where memory is mapped that the guest may
/// write, its writes reach neither.
/// </para>
/// </remarks>
public interface IDeviceNotifications
{
    /// <summary>
    /// Adds one to an eventfd(2) at each of the guest's writes to a register, in place of a handler; whoever waits for it may be another process. Reads, and writes of another width or
    /// value, go the usual way. Takes effect for writes that begin afterwards.
    /// </summary>
    /// <param name="doorbell">The register.</param>
    /// <param name="target">
    /// The eventfd, which is kept open until the registration ends. While its counter is full, writes add nothing and nobody waits for them.
    /// </param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">
    /// EINVAL: a bus, width, address or value that cannot be, or the descriptor is not an eventfd; EBADF: it is closed; EEXIST: the doorbell
    /// overlaps a coalesced range, or one that does not differ in the value alone; ENOTSUP: the backend cannot signal events.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The descriptor is disposed.</exception>
    IDoorbellRegistration AttachDoorbell(in Doorbell doorbell, SafeHandle target);

    /// <summary>
    /// Lets the hypervisor collect the guest's writes to a range. They reach the range's handlers in order, at the latest before the next exit
    /// of the vCPU that made them is handled, on that vCPU's thread or another's; what no handler takes is counted as unclaimed and
    /// dropped.
    /// </summary>
    /// <remarks>
    /// The handlers of such a range are called for one write at a time. While one is called others wait, so it must not wait for a vCPU. One that
    /// throws has taken its write; the writes behind it, and the exit before which they are delivered, are dealt with by the vCPU's next run.
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
