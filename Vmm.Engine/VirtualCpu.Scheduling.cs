// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>Ownership, notification and the accounting of time.</content>
public sealed partial class VirtualCpu
{
    private readonly long[] _timeTotals = new long[(int)VcpuTimeState.Scheduled + 1];
    private VcpuState _state;
    private int _owner;
    private int _depth;

    /// <summary>How many of the levels of ownership <see cref="SetState"/> took, which alone gives those back.</summary>
    private int _levelsByHand;
    private long _nextTicket;
    private long _servedTicket;

    /// <summary>Tickets behind the served one whose waiters gave up.</summary>
    private HashSet<long>? _abandonedTickets;
    private bool _retired;
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

    /// <summary>Takes ownership in order of arrival; nested on the thread that has it.</summary>
    internal void TakeOwnership()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (Volatile.Read(ref _owner) == thread)
        {
            // Only the owner itself changes what it reads here: nested ownership, as in a handler, needs no lock.
            _depth++;
            return;
        }

        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_retired || _machine.IsDisposed, _machine);
            long ticket = _nextTicket++;
            bool isServed = false;
            try
            {
                while (_state != VcpuState.Idle || _servedTicket != ticket)
                {
                    if (_state != VcpuState.Idle)
                    {
                        AskForIdle();
                    }

                    Monitor.Wait(_gate);
                    ObjectDisposedException.ThrowIf(_retired || _machine.IsDisposed, _machine);
                }

                isServed = true;
                ServeNext();
            }
            finally
            {
                if (!isServed)
                {
                    Abandon(ticket);
                }
            }

            // Those behind in the queue may have found the vCPU idle and have asked nobody; a request that nobody stands
            // behind any more ends here.
            bool isWanted = _servedTicket != _nextTicket;
            Volatile.Write(ref _requestIdle, isWanted);
            if (isWanted)
            {
                Interlocked.Exchange(ref _attention, 1);
            }

            _owner = thread;
            _depth = 1;
            _state = VcpuState.Frozen;
        }
    }

    /// <summary>Takes ownership if nobody has it and nobody waits for it. Does not wait; not nested.</summary>
    internal bool TryTakeOwnership()
    {
        lock (_gate)
        {
            if (_state != VcpuState.Idle || _servedTicket != _nextTicket || _retired || _machine.IsDisposed)
            {
                return false;
            }

            _nextTicket++;
            _servedTicket++;
            _owner = Environment.CurrentManagedThreadId;
            _depth = 1;
            _state = VcpuState.Frozen;
            return true;
        }
    }

    /// <summary>Gives one level of ownership back.</summary>
    internal void GiveOwnershipBack()
    {
        if (Volatile.Read(ref _owner) != Environment.CurrentManagedThreadId)
        {
            throw new InvalidOperationException($"this thread does not own vCPU {Id}");
        }

        if (_depth > 1)
        {
            _depth--;
            return;
        }

        lock (_gate)
        {
            _depth = 0;
            _owner = 0;
            _state = VcpuState.Idle;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Whether the calling thread is within something of this vCPU's that may call handlers: it may be one that asks.</summary>
    internal bool IsCallingHandlers => _mayBeInHandler && Volatile.Read(ref _owner) == Environment.CurrentManagedThreadId;

    /// <summary>Makes those who wait for ownership look whether the VM still exists.</summary>
    internal void WakeWaiters()
    {
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until nobody else has the vCPU, refuses every later owner, and frees the backend's vCPU.</summary>
    /// <remarks>Interrupting the thread does not end a destruction half way: the interruption comes at the thread's next wait.</remarks>
    internal void Retire()
    {
        bool isInterrupted = false;
        lock (_gate)
        {
            Monitor.PulseAll(_gate);
            while (_state != VcpuState.Idle && _owner != Environment.CurrentManagedThreadId)
            {
                AskForIdle();
                try
                {
                    Monitor.Wait(_gate);
                }
                catch (ThreadInterruptedException)
                {
                    isInterrupted = true;
                }
            }

            _retired = true;
        }

        if (isInterrupted)
        {
            Thread.CurrentThread.Interrupt();
        }

        ReleaseBackend();
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

    /// <summary>It is the turn of the next waiter who has not given up; under the gate.</summary>
    private void ServeNext()
    {
        do
        {
            _servedTicket++;
        }
        while (_abandonedTickets is { Count: > 0 } abandoned && abandoned.Remove(_servedTicket));
    }

    /// <summary>A waiter gives up; under the gate.</summary>
    private void Abandon(long ticket)
    {
        if (ticket != _servedTicket)
        {
            (_abandonedTickets ??= []).Add(ticket);
            return;
        }

        ServeNext();
        if (_servedTicket == _nextTicket)
        {
            Volatile.Write(ref _requestIdle, false);
        }

        Monitor.PulseAll(_gate);
    }

    /// <summary>Asks the owner to give the vCPU back; under the gate.</summary>
    private void AskForIdle()
    {
        Volatile.Write(ref _requestIdle, true);
        Interlocked.Exchange(ref _attention, 1);
        Monitor.PulseAll(_gate);
        if (_inRun)
        {
            _backend?.Kick();
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

    private sealed class Ownership(VirtualCpu cpu) : IDisposable
    {
        private readonly int _thread = Environment.CurrentManagedThreadId;
        private bool _disposed;

        public void Dispose()
        {
            if (_disposed)
            {
                return;
            }

            if (_thread != Environment.CurrentManagedThreadId)
            {
                throw new InvalidOperationException($"another thread took vCPU {cpu.Id}: it alone gives it back");
            }

            cpu.GiveOwnershipBack();
            _disposed = true;
        }
    }
}
