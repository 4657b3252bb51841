// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>What keeps a vCPU from executing: suspension, HLT, and waiting to be started.</content>
public sealed partial class VirtualCpu
{
    private const int HaltPollMilliseconds = 1000;

    private bool _isNotStarted;
    private int _haltLook;
    private GeneralRegisters _registersAtLook;
    private long _emulatedAtLook;

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
        if (_apic is { } apic)
        {
            PullTaskPriority(backend, apic);
        }

        if (HoldsNmi(backend))
        {
            LeaveHalt();
            return Next.Continue;
        }

        bool interruptible = (backend.GetRegister(RegisterName.Rflags) & (1 << 9)) != 0;
        if (!interruptible && _machine.Options.DetectHalt && !HasWakeEvent(interruptible))
        {
            _machine.SetHalted(Id, halted: true);
        }

        // A reason to leave may be gone when it is looked at: that wakes nobody.
        while (!SleepUntilWoken(interruptible))
        {
            if (CheckEntryBailout(rip))
            {
                return _exit.Code == ExitCode.Suspended ? WaitForSuspension() : Next.Return;
            }
        }

        LeaveHalt();
        return Next.Continue;
    }

    /// <summary>Sleeps until something wakes the guest, or there seems to be a reason to leave.</summary>
    /// <returns>Whether something wakes the guest.</returns>
    private bool SleepUntilWoken(bool interruptible)
    {
        EnterTimeState(VcpuTimeState.Idle);
        if (_machine.Options.SkipsIdleTime)
        {
            SkipIdleTime(interruptible);
        }

        bool isWoken;
        lock (_gate)
        {
            _state = VcpuState.Sleeping;
            while (!(isWoken = HasWakeEvent(interruptible)) && !HasBailoutReason())
            {
                Monitor.Wait(_gate);
            }

            _state = VcpuState.Frozen;
        }

        EnterTimeState(VcpuTimeState.EmulationEngine);
        return isWoken;
    }

    /// <summary>Lets time pass until something wakes the guest, there is a reason to leave, or nothing more is to come.</summary>
    private void SkipIdleTime(bool interruptible)
    {
        while (!HasWakeEvent(interruptible) && !HasBailoutReason() && _machine.Time.TrySkipToNextDeadline())
        {
        }
    }

    /// <summary>
    /// Whether the hypervisor has an NMI that it held back while another one's handler ran, and that ends this halt: handed over, it does
    /// not show among the engine's events.
    /// </summary>
    private bool HoldsNmi(IBackendVcpu backend)
    {
        if (!_nmiHandedOver)
        {
            return false;
        }

        BackendEvents events = backend.Events;
        _nmiHandedOver = events.NmiPending;
        return events is { NmiPending: true, NmiBlocked: false };
    }

    /// <summary>Notes that the guest does not wait in HLT any more.</summary>
    private void LeaveHalt()
    {
        _isExitDue &= _exit.Code != ExitCode.Hlt;
        if (_isHalted)
        {
            _isHalted = false;
            _machine.SetHalted(Id, halted: false);
        }
    }

    private bool HasWakeEvent(bool interruptible) =>
        IsNmiPending
        || _exceptionEvent.IsValid
        || !_exitEvents.IsEmpty
        || IsRunStatePending
        || (interruptible && (IsExternalInterruptPending || HasChipInterrupt));

    /// <summary>
    /// Whether the vCPU, although it is noted as halted, has something that makes it execute and that its thread has not come to yet.
    /// Any thread.
    /// </summary>
    internal bool IsAboutToWake
    {
        get
        {
            VcpuRunState state = _runState;
            return IsNmiPending
                || (state & VcpuRunState.PendingInit) != 0
                || (state & (VcpuRunState.Init | VcpuRunState.Run | VcpuRunState.PendingSipi)) == (VcpuRunState.Init | VcpuRunState.PendingSipi)
                || ((state & VcpuRunState.Run) != 0 && Volatile.Read(ref _isNotStarted));
        }
    }

    /// <summary>Processes INIT and start-up interrupts, and sleeps while the vCPU is not started.</summary>
    private Next ProcessRunState()
    {
        while (true)
        {
            bool mark = false;
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
                else if (_apic is not null && !_isNotStarted)
                {
                    mark = true;
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

            if (mark)
            {
                // Only another processor starts this one: when all others are halted for good, it is too.
                Volatile.Write(ref _isNotStarted, true);
                _machine.SetNotStarted(Id, hasBeenReset: (_runState & VcpuRunState.Init) != 0);
            }
            else if (reset)
            {
                NoteStart();
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

    /// <summary>
    /// Notes that the vCPU does not wait to be started any more. Whoever asks in between sees one of both: that it is not among those that
    /// are halted, or that it is about to wake.
    /// </summary>
    private void NoteStart()
    {
        if (_isNotStarted)
        {
            _machine.SetHalted(Id, halted: false);
            Volatile.Write(ref _isNotStarted, false);
        }
    }

    /// <summary>Puts the vCPU where a start-up interrupt sends it (Intel SDM volume 3, multiple-processor initialization).</summary>
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
        int look = Interlocked.Exchange(ref _haltLook, 0);
        bool halted = backend.Activity switch
        {
            BackendActivity.Halted => (backend.GetRegister(RegisterName.Rflags) & (1 << 9)) == 0,
            BackendActivity.Uninitialized or BackendActivity.InitReceived => true,
            _ => false,
        };
        GeneralRegisters registers = backend.GeneralRegisters;
        bool hasExecuted = registers != _registersAtLook || _emulatedInstructions != _emulatedAtLook;
        _registersAtLook = registers;
        _emulatedAtLook = _emulatedInstructions;
        _machine.AnswerLook(Id, look, halted, hasExecuted);
    }
}
