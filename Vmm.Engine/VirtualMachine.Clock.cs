// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Engine;

/// <content>The time that the hypervisor keeps for the guest by itself.</content>
public sealed partial class VirtualMachine
{
    private ulong? _stoppedClock;
    private int _hasWarnedOfTsc;

    /// <summary>Says once that the guest's time-stamp counter is the host's, where that is so; when the hypervisor makes a vCPU.</summary>
    internal void NoteTsc(IBackendVcpu backend)
    {
        if (backend is IBackendVcpuTime { TakesTscOffset: false } && Interlocked.Exchange(ref _hasWarnedOfTsc, 1) == 0)
        {
            EngineLog.TscIsTheHosts(_log, Name, HypervisorBackend.Description.Name);
        }
    }

    /// <summary>The VM is paused: the paravirtual clock shall go on from here. Every vCPU is frozen.</summary>
    private void StopClock() =>
        _stoppedClock = BackendVm is IBackendClock clock && clock.TryReadClock(out ulong nanoseconds) ? nanoseconds : null;

    /// <summary>The VM goes on: so does the clock, and guests that use it learn that they were stopped. Every vCPU is frozen.</summary>
    private void ContinueClock()
    {
        if (_stoppedClock is { } nanoseconds && BackendVm is IBackendClock clock)
        {
            clock.WriteClock(nanoseconds);
            foreach (VirtualCpu cpu in _vcpus)
            {
                cpu.TellPause();
            }
        }

        _stoppedClock = null;
    }
}
