// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>A wait for any of many eventfds. Events may be added and removed while a thread waits.</summary>
public interface IEventWait : IDisposable
{
    /// <summary>Adds an event. Any thread.</summary>
    /// <param name="descriptor">The eventfd, open until it is removed.</param>
    /// <param name="key">What <see cref="Wait"/> names it by.</param>
    /// <exception cref="VmmException">EEXIST: it is added already; EBADF: it is closed; EPERM: it cannot be waited for.</exception>
    void Add(SafeHandle descriptor, int key);

    /// <summary>Removes an event. Any thread; a wait that has seen it may still name it once.</summary>
    /// <param name="descriptor">The eventfd.</param>
    void Remove(SafeHandle descriptor);

    /// <summary>Waits until at least one event is not zero. One thread at a time.</summary>
    /// <param name="keys">Receives the keys; not empty.</param>
    /// <returns>How many; zero after a signal.</returns>
    /// <exception cref="VmmException">The host refuses.</exception>
    int Wait(Span<int> keys);
}
