// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>The run loop.</content>
public sealed partial class VirtualCpu
{
    private long _exits;
    private long _portExits;
    private long _mmioExits;
    private long _msrExits;
    private long _haltExits;
    private long _hypercallExits;
    private long _otherExits;
    private long _msrReads;
    private long _interruptWindows;
    private long _monitorTraps;
    private long _hostCpuMigrations;
    private long _kicks;
    private long _unclaimedPorts;
    private long _unclaimedMmio;
    private long _unclaimedMsrs;
    private long _requestIdleExits;
    private long _exceptions;
    private long _nmis;
    private long _externalInterrupts;
    private long _exitsSeenByWatch = -1;
    private bool _isHalted;

    /// <summary>Whether the guest's last exit is still to be handled: a handler of the writes collected before it has thrown.</summary>
    private bool _isExitDue;

    /// <summary>Whether the access that the guest waits with, or retires next, is memory-mapped input.</summary>
    private bool _readsMmio;
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
    public PendingOperation Pending => EmulationPending is not PendingOperation.None and PendingOperation pending
        ? pending
        : _backend?.Pending ?? PendingOperation.None;

    /// <inheritdoc/>
    public ref readonly VmExit Run(in VmEntry entry)
    {
        if (IsCallingHandlers || _machine.IsFrozenByCaller)
        {
            RefuseRun();
        }

        TakeOwnership();
        try
        {
            _mayBeInHandler = true;
            ObjectDisposedException.ThrowIf(_machine.IsDisposed, _machine);
            if (!_machine.IsActive(Id))
            {
                EngineThrow.Invalid("vm_run", $"vCPU {Id} is not active");
            }

            if (_machine.Options.PauseRefusesRuns && _machine.IsPaused)
            {
                EngineThrow.Busy("vm_run", "the VM is paused");
            }

            IBackendVcpu backend = Backend;
            ApplyEntry(backend, entry);
            if (Pending != PendingOperation.Exit || _isExitDue)
            {
                RunOwned(backend);
            }
        }
        finally
        {
            _mayBeInHandler = false;
            if (_machine.SuspendReason != SuspendReason.None && _machine.IsActive(Id))
            {
                _machine.MarkSuspended(Id);
            }

            GiveOwnershipBack();
        }

        return ref _exit;
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

    [DoesNotReturn]
    private void RefuseRun() => throw new InvalidOperationException(IsCallingHandlers
        ? $"a handler that vCPU {Id} calls cannot run it"
        : $"vCPU {Id} is frozen by this thread, with all others: it runs when they are let go");

    private void RunOwned(IBackendVcpu backend)
    {
        _hasRun = true;
        Volatile.Write(ref _inRun, true);
        try
        {
            Interlocked.Exchange(ref _attention, 1);
            EnterTimeState(VcpuTimeState.EmulationEngine);
            _carries |= _machine.Options is { SecondChance: true, CarriesFromStart: true } && WouldCarry(backend);
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
        if (_isExitDue && TakeExit(backend) == Next.Return)
        {
            return;
        }

        if (EmulationPending == PendingOperation.Answered && ResumeEmulation(backend, _emulated!) == Next.Return)
        {
            return;
        }

        while (true)
        {
            _machine.Time.Poll(_timeStamp);

            // An interrupt that waits for the guest to be interruptible need not wait for the exit that says so: that can be late.
            bool isWindowOpen = backend.InterruptWindowRequested && backend.IsReadyForInterrupt;
            if ((isWindowOpen || Volatile.Read(ref _attention) != 0) && Attend(backend) == Next.Return)
            {
                return;
            }

            if (_singleSteps && TryStepInEngine(backend))
            {
                return;
            }

            if (GoOn(backend) == Next.Return)
            {
                return;
            }
        }
    }

    /// <summary>
    /// Whether an instruction that has read memory-mapped input is still to retire. Whether an interrupt may come behind it only shows then:
    /// MOV and POP to SS hold it back, POPF and IRET may disable it.
    /// </summary>
    private bool IsReadAnswered(IBackendVcpu backend) =>
        _readsMmio && backend.Pending == PendingOperation.Answered;

    /// <summary>Notes what kind of access an exit is: its record may be overwritten before the instruction retires.</summary>
    private void NoteAccess() => _readsMmio = _exit.Code == ExitCode.Mmio && _exit.Mmio.IsRead;

    private void EnterGuest(IBackendVcpu backend)
    {
        if (!_isStep)
        {
            ForgetStale(backend);
        }

        _isDebugStateStale = true;
        EnterTimeState(VcpuTimeState.Run);
        int hostCpu = Thread.GetCurrentProcessorId();
        _hostCpuMigrations += _hostCpu >= 0 && hostCpu != _hostCpu ? 1 : 0;
        _hostCpu = hostCpu;
        _state = VcpuState.Running;
        _machine.Exclusion.Enter(ref _isInMemory);
        try
        {
            if (_isStep)
            {
                backend.RunOne(ref _exit);
            }
            else
            {
                backend.Run(ref _exit);
            }
        }
        finally
        {
            LeaveMemory();
            _state = VcpuState.Frozen;
            EnterTimeState(VcpuTimeState.EmulationEngine);
        }

        _exits++;
        NoteAccess();
    }

    /// <summary>Handles the exit that the guest has had, behind the writes that were collected before it.</summary>
    private Next TakeExit(IBackendVcpu backend)
    {
        _isExitDue = true;
        DeliverCollected(backend);
        _isExitDue = false;
        return Handle(backend);
    }

    /// <summary>Looks at everything that may keep the guest from going on.</summary>
    private Next Attend(IBackendVcpu backend)
    {
        Interlocked.Exchange(ref _attention, 0);
        if (HasBailoutReason() && CheckEntryBailout(backend.GetRegister(RegisterName.Rip)))
        {
            return _exit.Code == ExitCode.Suspended ? WaitForSuspension() : Next.Return;
        }

        AnswerHeldVectors();
        AnswerNmiPin(backend);
        if (Volatile.Read(ref _haltLook) != 0)
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

        NoteStart();
        if (IsReadAnswered(backend) && !Complete(backend))
        {
            Interlocked.Exchange(ref _attention, 1);
            return Handle(backend);
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
                _msrReads += _exit.Code == ExitCode.Rdmsr ? 1 : 0;
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
                _interruptWindows += _exit.Code == ExitCode.InterruptWindow ? 1 : 0;
                _monitorTraps += _exit.Code == ExitCode.MonitorTrap ? 1 : 0;
                return HandleOther(backend);
        }
    }

    private Next HandleOther(IBackendVcpu backend)
    {
        switch (_exit.Code)
        {
            case ExitCode.InterruptWindow:
            case ExitCode.SetTpr when _apic is not null:
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExitCode.IoapicEoi when _machine.Chips is { IoApic: not null } chips:
                chips.EndLevelInterrupt(this, (byte)_exit.Value);
                return Next.Continue;
            case ExitCode.InstructionEmulation:
                return HandleEmulationFailure(backend);
            case ExitCode.MmioEmulation:
                return HandleMmioEmulation(backend);
            case ExitCode.Shutdown:
                SuspendByTripleFault(backend);
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
}
