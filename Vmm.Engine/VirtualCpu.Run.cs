// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>The run loop.</content>
public sealed partial class VirtualCpu
{
    private const int HaltPollMilliseconds = 1000;

    private long _exits;
    private long _portExits;
    private long _mmioExits;
    private long _msrExits;
    private long _haltExits;
    private long _hypercallExits;
    private long _otherExits;
    private long _kicks;
    private long _unclaimedPorts;
    private long _unclaimedMmio;
    private long _unclaimedMsrs;
    private long _requestIdleExits;
    private long _exceptions;
    private long _nmis;
    private long _externalInterrupts;
    private long _exitsSeenByWatch = -1;
    private bool _haltCheckRequested;
    private bool _isHalted;
    private bool _hasRun;

    /// <summary>What a handled exit means for the run loop.</summary>
    private enum Next
    {
        /// <summary>Enter the guest again.</summary>
        Continue,

        /// <summary>Return to the caller.</summary>
        Return,
    }

    /// <inheritdoc/>
    public ref readonly VmExit Exit => ref _exit;

    /// <inheritdoc/>
    public Span<byte> ExitData => Backend.ExitData;

    /// <inheritdoc/>
    public PendingOperation Pending => _backend?.Pending ?? PendingOperation.None;

    /// <inheritdoc/>
    public ref readonly VmExit Run(in VmEntry entry)
    {
        TakeOwnership();
        try
        {
            ObjectDisposedException.ThrowIf(_machine.IsDisposed, _machine);
            if (!_machine.IsActive(Id))
            {
                EngineThrow.Invalid("vm_run", $"vCPU {Id} is not active");
            }

            IBackendVcpu backend = Backend;
            ApplyEntry(backend, entry);
            if (backend.Pending != PendingOperation.Exit)
            {
                RunOwned(backend);
            }
        }
        finally
        {
            if (_machine.SuspendReason != SuspendReason.None && _machine.IsActive(Id))
            {
                _machine.MarkSuspended(Id);
            }

            GiveOwnershipBack();
        }

        return ref _exit;
    }

    /// <inheritdoc/>
    public bool CompletePending()
    {
        TakeOwnership();
        try
        {
            IBackendVcpu backend = Backend;
            if (backend.Pending == PendingOperation.Exit)
            {
                EngineThrow.Busy("CompletePending", "an exit waits for its answer: fulfil or discard it first");
            }

            return backend.Complete(ref _exit);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public bool CheckEntryBailout(ulong rip)
    {
        bool leave = false;
        if (_machine.SuspendReason is not SuspendReason.None and SuspendReason reason)
        {
            _exit.SetSuspended(reason, rip);
            leave = true;
        }

        if (Volatile.Read(ref _requestIdle) || Volatile.Read(ref _runBlocks) != 0)
        {
            Volatile.Write(ref _requestIdle, false);
            _requestIdleExits++;
            _exit.Set(ExitCode.RequestIdle, rip);
            leave = true;
        }

        if (Interlocked.Exchange(ref _yieldRequested, false))
        {
            _exit.Set(ExitCode.Bogus, rip);
            leave = true;
        }

        if (_machine.DebugVcpus.Contains(Id))
        {
            _exit.Set(ExitCode.Debug, rip);
            leave = true;
        }

        return leave;
    }

    private void ApplyEntry(IBackendVcpu backend, in VmEntry entry)
    {
        const string Operation = "vm_run";
        switch (entry.Command)
        {
            case EntryCommand.Default:
                return;
            case EntryCommand.DiscardInstruction:
                backend.Discard();
                return;
            case EntryCommand.FulfillInout or EntryCommand.FulfillMmio or EntryCommand.FulfillMsr
                or EntryCommand.FulfillHypercall:
                if (backend.Pending != PendingOperation.Exit)
                {
                    EngineThrow.Invalid(Operation, "nothing is pending that could be fulfilled");
                }

                Fulfill(backend, entry);
                return;
            default:
                EngineThrow.Invalid(Operation, $"{(int)entry.Command} is not a command");
                return;
        }
    }

    /// <summary>Gives the caller's answer to the backend, if it matches what is pending.</summary>
    private void Fulfill(IBackendVcpu backend, in VmEntry entry)
    {
        bool matches = entry.Command switch
        {
            EntryCommand.FulfillInout => _exit.Code == ExitCode.Inout
                && entry.Port.Port == _exit.Port.Port
                && entry.Port.Bytes == _exit.Port.Bytes
                && entry.Port.IsIn == _exit.Port.IsIn,
            EntryCommand.FulfillMmio => _exit.Code == ExitCode.Mmio
                && entry.Mmio.Address == _exit.Mmio.Address
                && entry.Mmio.Bytes == _exit.Mmio.Bytes
                && entry.Mmio.IsRead == _exit.Mmio.IsRead,
            EntryCommand.FulfillMsr => _exit.Code is ExitCode.Rdmsr or ExitCode.Wrmsr
                && entry.Msr == _exit.Msr.Index
                && entry.MsrOutcome != MsrOutcome.Unhandled,
            _ => _exit.Code == ExitCode.Hypercall,
        };
        if (!matches)
        {
            EngineThrow.Invalid("vm_run", $"the answer does not match what is pending: {_exit}");
        }

        ulong value = entry.Command switch
        {
            EntryCommand.FulfillInout => entry.Port.Eax,
            EntryCommand.FulfillMmio => entry.Mmio.Data,
            _ => entry.Value,
        };
        backend.Fulfill(value, entry.MsrOutcome);
    }

    private void RunOwned(IBackendVcpu backend)
    {
        _hasRun = true;
        Volatile.Write(ref _inRun, true);
        try
        {
            Interlocked.Exchange(ref _attention, 1);
            EnterTimeState(VcpuTimeState.EmulationEngine);
            backend.BeginRun();
            try
            {
                EnterUntilReturn(backend);
            }
            finally
            {
                backend.EndRun();
            }
        }
        finally
        {
            EnterTimeState(VcpuTimeState.EmulationUser);

            // Whoever suspends the VM sets the reason and then looks whether a run goes on; this side writes and reads in
            // the other order, so that at least one of the two notes that this vCPU is suspended.
            Volatile.Write(ref _inRun, false);
            Interlocked.MemoryBarrier();
        }
    }

    private void EnterUntilReturn(IBackendVcpu backend)
    {
        while (Volatile.Read(ref _attention) == 0 || Attend(backend) == Next.Continue)
        {
            EnterGuest(backend);
            if (Handle(backend) == Next.Return)
            {
                return;
            }
        }
    }

    private void EnterGuest(IBackendVcpu backend)
    {
        EnterTimeState(VcpuTimeState.Run);
        _hostCpu = Thread.GetCurrentProcessorId();
        _state = VcpuState.Running;
        try
        {
            backend.Run(ref _exit);
        }
        finally
        {
            _state = VcpuState.Frozen;
            EnterTimeState(VcpuTimeState.EmulationEngine);
        }

        _exits++;
    }

    /// <summary>Looks at everything that may keep the guest from going on.</summary>
    private Next Attend(IBackendVcpu backend)
    {
        Interlocked.Exchange(ref _attention, 0);
        if (HasBailoutReason() && CheckEntryBailout(backend.GetRegister(RegisterName.Rip)))
        {
            return _exit.Code == ExitCode.Suspended ? WaitForSuspension() : Next.Return;
        }

        if (Volatile.Read(ref _haltCheckRequested))
        {
            CheckHaltInHypervisor(backend);
            if (Volatile.Read(ref _attention) != 0)
            {
                return Attend(backend);
            }
        }

        if (_isHalted && SleepWhileHalted(backend) == Next.Return)
        {
            return Next.Return;
        }

        if (IsRunStatePending && ProcessRunState() == Next.Return)
        {
            return Next.Return;
        }

        InjectEvents(backend);
        return Next.Continue;
    }

    private bool HasBailoutReason() =>
        _machine.SuspendReason != SuspendReason.None
        || Volatile.Read(ref _requestIdle)
        || Volatile.Read(ref _runBlocks) != 0
        || Volatile.Read(ref _yieldRequested)
        || _machine.DebugVcpus.Contains(Id);

    private Next Handle(IBackendVcpu backend)
    {
        switch (_exit.Code)
        {
            case ExitCode.Inout:
                _portExits++;
                return HandlePort(backend);
            case ExitCode.Mmio:
                _mmioExits++;
                return HandleMmio(backend);
            case ExitCode.Rdmsr or ExitCode.Wrmsr:
                _msrExits++;
                return HandleMsr(backend);
            case ExitCode.Bogus:
                _kicks++;
                return Next.Continue;
            case ExitCode.Hlt:
                _haltExits++;
                _isHalted = true;
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExitCode.Hypercall:
                _hypercallExits++;
                return Next.Return;
            default:
                _otherExits++;
                return HandleOther(backend);
        }
    }

    private Next HandleOther(IBackendVcpu backend)
    {
        switch (_exit.Code)
        {
            case ExitCode.InterruptWindow:
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExitCode.Shutdown:
                _machine.TrySuspend(SuspendReason.TripleFault);
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExitCode.Monitor or ExitCode.Mwait or ExitCode.VmInstruction:
                // The instruction comes again after an exception that is queued already.
                if (!_exceptionEvent.IsValid)
                {
                    Inject(GuestException.InvalidOpcode());
                }

                return Next.Continue;
            case ExitCode.MonitorTrap:
                _machine.SuspendForDebug(this);
                return Next.Return;
            default:
                return Next.Return;
        }
    }

    /// <summary>
    /// Waits until every active vCPU knows of the suspension; leaves early when somebody wants this vCPU meanwhile.
    /// </summary>
    private Next WaitForSuspension()
    {
        ulong rip = _exit.Rip;
        _machine.MarkSuspended(Id);
        EnterTimeState(VcpuTimeState.Init);
        lock (_gate)
        {
            _state = VcpuState.Sleeping;
            while (!_machine.IsSuspensionComplete() && !_machine.IsDisposed && !_requestIdle)
            {
                Monitor.Wait(_gate, HaltPollMilliseconds);
            }

            _state = VcpuState.Frozen;
        }

        EnterTimeState(VcpuTimeState.EmulationEngine);
        if (!_machine.IsSuspensionComplete())
        {
            Volatile.Write(ref _requestIdle, false);
            _requestIdleExits++;
            _exit.Set(ExitCode.RequestIdle, rip);
        }

        return Next.Return;
    }

    /// <summary>Sleeps after HLT until an event wakes the guest, or there is a reason to leave.</summary>
    private Next SleepWhileHalted(IBackendVcpu backend)
    {
        ulong rip = backend.GetRegister(RegisterName.Rip);
        bool interruptible = (backend.GetRegister(RegisterName.Rflags) & (1 << 9)) != 0;
        if (!interruptible && _machine.Options.DetectHalt && !HasWakeEvent(interruptible))
        {
            _machine.SetHalted(Id, halted: true);
        }

        EnterTimeState(VcpuTimeState.Idle);
        bool leave = false;
        lock (_gate)
        {
            _state = VcpuState.Sleeping;
            while (!HasWakeEvent(interruptible) && !(leave = HasBailoutReason()))
            {
                Monitor.Wait(_gate);
            }

            _state = VcpuState.Frozen;
        }

        EnterTimeState(VcpuTimeState.EmulationEngine);
        if (leave && CheckEntryBailout(rip))
        {
            return _exit.Code == ExitCode.Suspended ? WaitForSuspension() : Next.Return;
        }

        LeaveHalt();
        return Next.Continue;
    }

    /// <summary>Notes that the guest does not wait in HLT any more.</summary>
    private void LeaveHalt()
    {
        if (_isHalted)
        {
            _isHalted = false;
            _machine.SetHalted(Id, halted: false);
        }
    }

    private bool HasWakeEvent(bool interruptible) =>
        IsNmiPending
        || _exceptionEvent.IsValid
        || _exitEvent.IsValid
        || IsRunStatePending
        || (interruptible && IsExternalInterruptPending);

    /// <summary>Processes INIT and start-up interrupts, and sleeps while the vCPU is not started.</summary>
    private Next ProcessRunState()
    {
        while (true)
        {
            bool reset = false;
            bool start = false;
            byte vector = 0;
            bool leave = false;
            lock (_gate)
            {
                if ((_runState & VcpuRunState.PendingInit) != 0)
                {
                    _runState = (_runState & ~(VcpuRunState.Run | VcpuRunState.PendingInit)) | VcpuRunState.Init;
                    reset = true;
                }
                else if ((_runState & (VcpuRunState.Init | VcpuRunState.Run | VcpuRunState.PendingSipi))
                    == (VcpuRunState.Init | VcpuRunState.PendingSipi))
                {
                    _runState = (_runState & ~VcpuRunState.PendingSipi) | VcpuRunState.Run;
                    start = true;
                    vector = _sipiVector;
                }
                else if ((_runState & VcpuRunState.Run) != 0)
                {
                    return Next.Continue;
                }
                else if (!(leave = HasBailoutReason()))
                {
                    EnterTimeState(VcpuTimeState.Idle);
                    _state = VcpuState.Sleeping;
                    Monitor.Wait(_gate);
                    _state = VcpuState.Frozen;
                    EnterTimeState(VcpuTimeState.EmulationEngine);
                }
            }

            if (reset)
            {
                ResetOwned(initOnly: true);
            }
            else if (start)
            {
                StartAt(vector);
            }
            else if (leave && CheckEntryBailout(Backend.GetRegister(RegisterName.Rip)))
            {
                return _exit.Code == ExitCode.Suspended ? WaitForSuspension() : Next.Return;
            }
        }
    }

    /// <summary>Puts the vCPU where a start-up interrupt sends it (Intel SDM volume 3, section 9.4.4).</summary>
    private void StartAt(byte vector)
    {
        IBackendVcpu backend = Backend;
        backend.SetRegister(RegisterName.Cs, (ulong)vector << 8);
        backend.SetSegmentDescriptor(
            RegisterName.Cs, new SegmentDescriptor((ulong)vector << 12, 0xffff, new SegmentAccess(0x93)));
        backend.SetRegister(RegisterName.Rip, 0);
    }

    /// <summary>
    /// Where the hypervisor has the local APICs it keeps HLT to itself: asks whether the vCPU is in it with interrupts
    /// disabled, or was never started.
    /// </summary>
    private void CheckHaltInHypervisor(IBackendVcpu backend)
    {
        Volatile.Write(ref _haltCheckRequested, false);
        bool halted = backend.Activity switch
        {
            BackendActivity.Halted => (backend.GetRegister(RegisterName.Rflags) & (1 << 9)) == 0,
            BackendActivity.Uninitialized or BackendActivity.InitReceived => true,
            _ => false,
        };
        _machine.SetHalted(Id, halted);
    }
}
