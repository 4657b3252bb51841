// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// Interrupts that an eventfd raises in controllers that the hypervisor has, without a thread of the process. An optional interface of a
/// backend VM; any thread. Disposing a registration ends it, also after the VM is gone.
/// </summary>
public interface IBackendInterruptEvents
{
    /// <summary>Lets an event raise a line of the I/O APIC and the 8259 pair. Only in kernel mode.</summary>
    /// <param name="line">The global system interrupt, below the number of pins.</param>
    /// <param name="trigger">The eventfd; without <paramref name="resample"/> the line rises and falls again.</param>
    /// <param name="resample">The line stays up until the guest ends its interrupt; then it falls and this eventfd is signalled.</param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">EBUSY: the trigger is taken; EBADF, EINVAL: a descriptor is no eventfd; ENOTSUP.</exception>
    IDisposable AttachLine(int line, SafeHandle trigger, SafeHandle? resample);

    /// <summary>Lets an event send a message-signalled interrupt. In kernel and split mode.</summary>
    /// <param name="address">The message's address.</param>
    /// <param name="data">The message's data.</param>
    /// <param name="trigger">The eventfd.</param>
    /// <returns>The registration.</returns>
    /// <exception cref="VmmException">As for a line; ENOSPC: there are too many messages.</exception>
    IDisposable AttachMessage(ulong address, uint data, SafeHandle trigger);
}
