// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Abstractions.Events;

/// <summary>
/// A counter by which one side tells the other that something happened: eventfd(2), or the engine's own where the host has none to give.
/// Any thread.
/// </summary>
/// <remarks>
/// After <see cref="IDisposable.Dispose"/> signals are dropped, there is nothing to take, and waits end. Whoever still has the counter
/// registered therefore does no harm.
/// </remarks>
public interface IEventCounter : IDisposable
{
    /// <summary>The eventfd(2) behind the counter, for whoever waits on several descriptors; null where there is none.</summary>
    SafeHandle? Descriptor { get; }

    /// <summary>Adds to the counter, which stops at its highest value and does not wrap. Does not block.</summary>
    /// <param name="count">How much.</param>
    void Signal(ulong count = 1);

    /// <summary>Takes the counter and sets it to zero. Does not block.</summary>
    /// <returns>What it was; 0 when nobody has signalled.</returns>
    ulong Take();

    /// <summary>Waits until the counter is not zero, and leaves it as it is.</summary>
    /// <param name="timeout">How long at most; <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <returns>Whether there is something to take; <see langword="false"/> when the time is up or the counter is disposed.</returns>
    bool Wait(TimeSpan timeout);
}
