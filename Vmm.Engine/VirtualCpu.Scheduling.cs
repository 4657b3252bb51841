// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>State, notification and the accounting of time.</content>
public sealed partial class VirtualCpu
{
    private readonly long[] _timeTotals = new long[(int)VcpuTimeState.Scheduled + 1];
    private VcpuState _state;
    private bool _requestIdle;
    private bool _yieldRequested;
    private int _runBlocks;
    private int _attention;
    private bool _inRun;

    /// <summary>Whether the owner's thread is within something that may call handlers.</summary>
    private bool _mayBeInHandler;
    private int _hostCpu = -1;
    private VcpuTimeState _timeState;
    private long _timeStamp;

    /// <inheritdoc/>
    public bool IsRunning => GetState(out _) == VcpuState.Running;

    /// <inheritdoc/>
    public bool ShouldYield => Volatile.Read(ref _yieldRequested);

    /// <inheritdoc/>
    public VcpuTimes Times => new(
        Id,
        Total(VcpuTimeState.Init),
        Total(VcpuTimeState.Run),
        Total(VcpuTimeState.Idle),
        Total(VcpuTimeState.EmulationEngine),
        Total(VcpuTimeState.EmulationUser),
        Total(VcpuTimeState.Scheduled));

    /// <summary>Whether a thread is inside <see cref="Run"/> with this vCPU.</summary>
    internal bool IsInRun => Volatile.Read(ref _inRun);

    /// <inheritdoc/>
    public VcpuState GetState(out int hostCpu)
    {
        lock (_gate)
        {
            hostCpu = _state == VcpuState.Running ? _hostCpu : -1;
            return _state;
        }
    }

    /// <inheritdoc/>
    public void SetState(VcpuState state, bool fromIdle)
    {
        const string Operation = "vcpu_set_state";
        if (fromIdle)
        {
            if (state != VcpuState.Frozen)
            {
                EngineThrow.Busy(Operation, $"an idle vCPU becomes frozen, not {state}");
            }

            TakeOwnership();
            _levelsByHand++;
            return;
        }

        lock (_gate)
        {
            bool allowed = ((_state, state) is (VcpuState.Frozen, VcpuState.Idle) && _levelsByHand > 0)
                || (_state, state) is (VcpuState.Frozen, VcpuState.Running)
                or (VcpuState.Running, VcpuState.Frozen)
                or (VcpuState.Frozen, VcpuState.Sleeping)
                or (VcpuState.Sleeping, VcpuState.Frozen);
            if (!allowed || _owner != Environment.CurrentManagedThreadId)
            {
                EngineThrow.Busy(Operation, $"vCPU {Id} does not go from {_state} to {state} on this thread");
            }

            if (state != VcpuState.Idle)
            {
                _state = state;
                return;
            }
        }

        _levelsByHand--;
        GiveOwnershipBack();
    }

    /// <inheritdoc/>
    public IDisposable Acquire()
    {
        TakeOwnership();
        return new Ownership(this);
    }

    /// <inheritdoc/>
    public IDisposable BlockRun()
    {
        Interlocked.Increment(ref _runBlocks);
        Notify();
        return new Registration(() => Interlocked.Decrement(ref _runBlocks));
    }

    /// <inheritdoc/>
    public void RequestYield()
    {
        Volatile.Write(ref _yieldRequested, true);
        Notify();
    }

    /// <inheritdoc/>
    public void Notify()
    {
        Interlocked.Exchange(ref _attention, 1);
        Wake();
        if (Volatile.Read(ref _inRun))
        {
            Volatile.Read(ref _backend)?.Kick();
        }
    }

    /// <inheritdoc/>
    public void Notify(VcpuNotification notification)
    {
        if (notification != VcpuNotification.None)
        {
            Notify();
        }
    }

    /// <inheritdoc/>
    public void SuspendForDebug() => _machine.SuspendForDebug(this);

    /// <inheritdoc/>
    public void ResumeFromDebug() => _machine.ResumeFromDebug(this);

    /// <inheritdoc/>
    public ulong GetTscOffset(bool physicalAdjust)
    {
        TakeOwnership();
        try
        {
            if (!Backend.TryGetTscOffset(out ulong offset))
            {
                EngineThrow.Refuse("vcpu_tsc_offset", VmmError.ENOENT, "the hypervisor does not tell the TSC offset");
            }

            return offset;
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void ChangeTimeState(VcpuTimeState state)
    {
        TakeOwnership();
        try
        {
            if (state == _timeState || state is < VcpuTimeState.Init or > VcpuTimeState.Scheduled)
            {
                throw new ArgumentOutOfRangeException(nameof(state), state, "the new state is a known one other than the present one");
            }

            EnterTimeState(state);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <summary>Wakes the vCPU's thread if it sleeps on the guest's behalf.</summary>
    internal void Wake()
    {
        lock (_gate)
        {
            if (_state == VcpuState.Sleeping)
            {
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Whether the guest has had an exit of its own, not a kick, since this was asked last.</summary>
    internal bool HasExitedSinceLastLook()
    {
        long now = Volatile.Read(ref _exits) - Volatile.Read(ref _kicks);
        return Interlocked.Exchange(ref _exitsSeenByWatch, now) != now;
    }

    /// <summary>Makes the run loop look whether the hypervisor holds a vCPU that is halted for good.</summary>
    /// <param name="look">The number of the look that asks, not 0: it comes back with the answer.</param>
    internal void AskWhetherHalted(int look)
    {
        if (Volatile.Read(ref _inRun))
        {
            Volatile.Write(ref _haltLook, look);
            Notify();
        }
    }

    private void EnterTimeState(VcpuTimeState state)
    {
        long now = Stopwatch.GetTimestamp();
        _timeTotals[(int)_timeState] += now - _timeStamp;
        _timeStamp = now;
        _timeState = state;
    }

    private TimeSpan Total(VcpuTimeState state) =>
        Stopwatch.GetElapsedTime(0, Volatile.Read(ref _timeTotals[(int)state]));
}
