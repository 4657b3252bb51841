// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Engine;

/// <content>The time that the hypervisor keeps for the guest by itself.</content>
public sealed partial class VirtualMachine
{
    private readonly Lock _tscLock = new();
    private ulong? _stoppedClock;
    private ulong? _bootTscOffset;
    private bool _isBootTscMoved;
    private int _hasWarnedOfTsc;

    /// <summary>
    /// The offset of time-stamp counters that were never written, which the hypervisor's first vCPU began with; null where it does not tell.
    /// Where it takes no offset it never noted one, and all vCPUs have the same.
    /// </summary>
    /// <param name="cpu">Any vCPU that the caller owns.</param>
    internal ulong? FindBootTscOffset(VirtualCpu cpu)
    {
        lock (_tscLock)
        {
            if (_bootTscOffset is { } known)
            {
                return known;
            }
        }

        return cpu.TryGetWholeTscOffset(out ulong offset) ? KeepBootTsc(offset) : null;
    }

    /// <summary>The rate of the guest's time-stamp counters in Hz; 0 when the hypervisor does not tell. All vCPUs are frozen.</summary>
    internal long TscFrequency => GetVcpu(default).TscFrequency;

    /// <summary>
    /// Looks at the time-stamp counter of a vCPU that the hypervisor has just made: says once that it is the host's, where that is so, and
    /// otherwise where it began.
    /// </summary>
    internal void NoteTsc(IBackendVcpu backend)
    {
        if (backend is not IBackendVcpuTime time)
        {
            return;
        }

        if (!time.TakesTscOffset)
        {
            if (Interlocked.Exchange(ref _hasWarnedOfTsc, 1) == 0)
            {
                EngineLog.TscIsTheHosts(_log, Name, HypervisorBackend.Description.Name);
            }

            return;
        }

        ulong? moved;
        bool isKnown;
        lock (_tscLock)
        {
            isKnown = _bootTscOffset is not null;
            moved = _isBootTscMoved ? _bootTscOffset : null;
        }

        if (moved is { } offset)
        {
            time.TrySetTscOffset(offset);
        }
        else if (!isKnown && backend.TryGetTscOffset(out ulong began))
        {
            KeepBootTsc(began);
        }
    }

    /// <summary>Moves the beginning of all time-stamp counters, those of vCPUs to come too. All vCPUs are frozen.</summary>
    /// <returns>False where the hypervisor does not let them differ from its own count.</returns>
    internal bool TryMoveBootTsc(ulong offset)
    {
        if (FindBootTscOffset(GetVcpu(default)) is not { } present)
        {
            return false;
        }

        if (present == offset)
        {
            return true;
        }

        ulong by = unchecked(offset - present);
        if (!Array.TrueForAll(_vcpus, cpu => cpu.TryMoveTsc(by)))
        {
            return false;
        }

        lock (_tscLock)
        {
            _bootTscOffset = offset;
            _isBootTscMoved = true;
        }

        return true;
    }

    private ulong KeepBootTsc(ulong offset)
    {
        lock (_tscLock)
        {
            return _bootTscOffset ??= offset;
        }
    }

    /// <summary>The hypervisor's VM is a new one, and so are its time-stamp counters.</summary>
    private void ForgetBootTsc()
    {
        lock (_tscLock)
        {
            _bootTscOffset = null;
            _isBootTscMoved = false;
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
