// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Events;

namespace Vmm.Engine.Devices;

/// <summary>A counter within the process, where the hypervisor signals none.</summary>
internal sealed class EventCounter : IEventCounter
{
    private readonly object _gate = new();
    private ulong _count;
    private bool _disposed;

    /// <inheritdoc/>
    public SafeHandle? Descriptor => null;

    /// <inheritdoc/>
    public void Signal(ulong count = 1)
    {
        lock (_gate)
        {
            if (!_disposed)
            {
                _count = ulong.MaxValue - _count < count ? ulong.MaxValue : _count + count;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <inheritdoc/>
    public ulong Take()
    {
        lock (_gate)
        {
            ulong count = _count;
            _count = 0;
            return count;
        }
    }

    /// <inheritdoc/>
    public bool Wait(TimeSpan timeout)
    {
        long began = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            while (_count == 0 && !_disposed)
            {
                if (timeout == Timeout.InfiniteTimeSpan)
                {
                    Monitor.Wait(_gate);
                    continue;
                }

                TimeSpan left = timeout - Stopwatch.GetElapsedTime(began);
                if (left < TimeSpan.Zero)
                {
                    return false;
                }

                Monitor.Wait(_gate, left);
            }

            return _count != 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _count = 0;
            Monitor.PulseAll(_gate);
        }
    }
}
