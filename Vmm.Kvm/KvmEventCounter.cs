// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Events;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>A counter that KVM can signal and be signalled by.</summary>
internal sealed class KvmEventCounter : IEventCounter
{
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>The eventfd.</summary>
    public EventFd EventFd { get; } = EventFd.Create();

    /// <inheritdoc/>
    public SafeHandle? Descriptor => EventFd;

    /// <inheritdoc/>
    public void Signal(ulong count = 1)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                EventFd.SignalSaturating(count);
            }
        }
    }

    /// <inheritdoc/>
    public ulong Take()
    {
        lock (_lock)
        {
            return _disposed ? 0 : EventFd.Take();
        }
    }

    /// <inheritdoc/>
    public bool Wait(TimeSpan timeout)
    {
        long began = Stopwatch.GetTimestamp();
        TimeSpan left = timeout;
        while (true)
        {
            DescriptorUse use;
            lock (_lock)
            {
                if (_disposed)
                {
                    return false;
                }

                use = new DescriptorUse(EventFd);
            }

            bool isReadable;
            using (use)
            {
                isReadable = Interop.EventFd.Poll(use, timeout == Timeout.InfiniteTimeSpan ? null : left);
            }

            if (isReadable)
            {
                lock (_lock)
                {
                    return !_disposed;
                }
            }

            left = timeout - Stopwatch.GetElapsedTime(began);
            if (timeout != Timeout.InfiniteTimeSpan && left <= TimeSpan.Zero)
            {
                return false;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                // Who waits in poll(2) would not notice that the descriptor is closed.
                EventFd.SignalSaturating(1);
                _disposed = true;
                EventFd.Dispose();
            }
        }
    }
}
