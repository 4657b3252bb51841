// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Events;

/// <summary>
/// Interrupts that an eventfd(2) raises, for devices outside the VM's process or without a thread of their own in it. An optional interface
/// of a VM; any thread.
/// </summary>
/// <remarks>
/// <para>
/// Whoever adds to the eventfd raises the interrupt; the VM takes the counter back to zero, and nobody else may. Several additions may
/// become one interrupt. Where the hypervisor has the controllers it raises the interrupt by itself; elsewhere one thread of the process
/// waits for the events of all its VMs.
/// </para>
/// <para>
/// Disposing a registration ends it: afterwards the event raises nothing. Registrations outlast a reinitialization and end with the VM.
/// The descriptors stay the caller's, who may close them afterwards; until then they are kept open.
/// </para>
/// </remarks>
public interface IInterruptEvents
{
    /// <summary>Lets an event raise an input of the VM's interrupt controllers.</summary>
    /// <param name="line">The global system interrupt, from 0.</param>
    /// <param name="trigger">
    /// The eventfd. Without <paramref name="resample"/> the input rises and falls again, for an edge-triggered entry; no wire holds the same
    /// input up then.
    /// </param>
    /// <param name="resample">
    /// For a level-triggered entry: the input stays up until the guest ends its interrupt; then it falls, and one is added to this eventfd. A
    /// device that still wants service adds to <paramref name="trigger"/> again. Devices that share the input are all told.
    /// </param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">
    /// EINVAL: the controllers have no such input, or a descriptor is not an eventfd; EBADF: it is closed; EBUSY: the trigger raises an
    /// interrupt already; ENOTSUP: no controller of this VM has lines, or the host does not wait for events.
    /// </exception>
    /// <exception cref="ObjectDisposedException">A descriptor is disposed.</exception>
    IDisposable AttachLine(int line, SafeHandle trigger, SafeHandle? resample = null);

    /// <summary>Lets an event send a message-signalled interrupt.</summary>
    /// <param name="address">The message's address.</param>
    /// <param name="data">The message's data.</param>
    /// <param name="trigger">The eventfd.</param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">As for a line; ENOSPC: the hypervisor keeps no more messages.</exception>
    /// <exception cref="ObjectDisposedException">The descriptor is disposed.</exception>
    IDisposable AttachMessage(ulong address, uint data, SafeHandle trigger);
}
