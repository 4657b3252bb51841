// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The host's eventfds: counters of 64 bits that one side adds to and another takes, across processes. An optional interface of a
/// hypervisor; any thread, and what it gives does not depend on the hypervisor's life.
/// </summary>
public interface IHostEvents
{
    /// <summary>Makes a counter at zero, which is closed on exec and never blocks.</summary>
    /// <returns>The eventfd, owned by the caller.</returns>
    /// <exception cref="VmmException">The host refuses.</exception>
    SafeHandle CreateEvent();

    /// <summary>Adds one.</summary>
    /// <param name="descriptor">An eventfd.</param>
    /// <exception cref="VmmException">EAGAIN: the counter is full; EBADF: it is closed.</exception>
    void SignalEvent(SafeHandle descriptor);

    /// <summary>Takes the counter and sets it to zero.</summary>
    /// <param name="descriptor">An eventfd; one that blocks must not be zero.</param>
    /// <returns>What it was; zero if nobody had added anything.</returns>
    /// <exception cref="VmmException">EBADF: it is closed.</exception>
    ulong TakeEvent(SafeHandle descriptor);

    /// <summary>Makes a wait for many events.</summary>
    /// <returns>The wait, owned by the caller.</returns>
    /// <exception cref="VmmException">The host refuses.</exception>
    IEventWait CreateEventWait();
}
