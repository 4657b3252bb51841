// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;

namespace Vmm.Software;

/// <summary>
/// Looks again and again at what the vCPUs of a VM do, on a thread of its own while there are any. A vCPU only says what it does, by a store
/// where something long begins and ends. Allocates nothing while it looks.
/// </summary>
/// <param name="interval">The time between two looks.</param>
internal sealed class PhaseSampler(TimeSpan interval)
{
    private readonly object _gate = new();
    private SoftwareVcpu[] _vcpus = [];
    private bool _isLooking;

    /// <summary>A vCPU has come.</summary>
    public void Add(SoftwareVcpu vcpu)
    {
        lock (_gate)
        {
            _vcpus = [.. _vcpus, vcpu];
            if (!_isLooking)
            {
                _isLooking = true;
                new Thread(Sample) { IsBackground = true, Name = "vmm samples", Priority = ThreadPriority.AboveNormal }.Start();
            }
        }
    }

    /// <summary>A vCPU has gone; with the last one goes the thread.</summary>
    public void Remove(SoftwareVcpu vcpu)
    {
        lock (_gate)
        {
            _vcpus = [.. _vcpus.Where(other => other != vcpu)];
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>A look counts for the time since the one before: when the host gives this thread no time, the next one counts for more.</summary>
    private void Sample()
    {
        lock (_gate)
        {
            long last = Stopwatch.GetTimestamp();
            while (_vcpus.Length != 0)
            {
                Monitor.Wait(_gate, interval);
                long now = Stopwatch.GetTimestamp();
                foreach (SoftwareVcpu vcpu in _vcpus)
                {
                    vcpu.Shares.Count(vcpu.State.Phase, now - last);
                }

                last = now;
            }

            _isLooking = false;
        }
    }
}
