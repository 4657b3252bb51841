// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Events;

namespace Vmm.Engine;

/// <content>Events on their way into the guest.</content>
public sealed partial class VirtualCpu
{
    private const VcpuRunState KnownRunState =
        VcpuRunState.Init | VcpuRunState.Run | VcpuRunState.PendingInit | VcpuRunState.PendingSipi;

    private ExitEvents _exitEvents;
    private EventInformation _exceptionEvent;
    private bool _nmiPending;
    private bool _nmiHandedOver;
    private bool _externalInterruptPending;
    private VcpuRunState _runState;
    private byte _sipiVector;

    /// <inheritdoc/>
    public bool IsNmiPending => Volatile.Read(ref _nmiPending);

    /// <inheritdoc/>
    public bool IsExternalInterruptPending => Volatile.Read(ref _externalInterruptPending);

    /// <inheritdoc/>
    public bool IsRunStatePending
    {
        get
        {
            lock (_gate)
            {
                return (_runState & (VcpuRunState.Run | VcpuRunState.PendingInit)) != VcpuRunState.Run;
            }
        }
    }

    /// <inheritdoc/>
    public void Inject(in GuestException exception)
    {
        const string Operation = "vm_inject_exception";
        if ((int)exception.Vector >= 32 || exception.Vector is ExceptionVector.Nmi or ExceptionVector.DoubleFault)
        {
            EngineThrow.Invalid(Operation, $"vector {(int)exception.Vector} is not an exception that can be injected");
        }

        TakeOwnership();
        try
        {
            if (_exceptionEvent.IsValid)
            {
                EngineThrow.Busy(Operation, $"an exception is queued already: {_exceptionEvent}");
            }

            IBackendVcpu backend = Backend;
            if (exception.RestartInstruction && Pending == PendingOperation.Exit && !_inRun)
            {
                // The handler returns to the instruction, which has not been carried out.
                DiscardPending(backend);
            }

            bool isProtected = (backend.GetRegister(RegisterName.Cr0) & 1) != 0;
            if (exception.LinearAddress is { } address)
            {
                backend.SetRegister(RegisterName.Cr2, address.Value);
            }

            backend.SetRegister(RegisterName.InterruptShadow, 0);
            _exceptionEvent = EventInformation.Create(
                EventType.HardwareException, (byte)exception.Vector, isProtected ? exception.ErrorCode : null);
            _exceptions++;
            Interlocked.Exchange(ref _attention, 1);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <inheritdoc/>
    public void SetExitEvent(EventInformation information)
    {
        const string Operation = "vm_exit_intinfo";
        if (ProblemOf(information) is { } problem)
        {
            EngineThrow.Invalid(Operation, problem);
        }

        TakeOwnership();
        _exitEvents.Clear();
        if (information.IsValid)
        {
            _exitEvents.PutFirst(information);
        }

        Interlocked.Exchange(ref _attention, 1);
        GiveOwnershipBack();
    }

    /// <inheritdoc/>
    public bool TryTakeEntryEvent(out EventInformation information)
    {
        EventInformation first = _exitEvents.TakeFirst();
        EventInformation second = _exceptionEvent;
        _exceptionEvent = EventInformation.None;
        return TryCombine(first, second, out information);
    }

    /// <summary>Combines two events. One of them that is to come later waits in front of the others; two that end the guest suspend the VM.</summary>
    /// <returns>Whether there is one to inject.</returns>
    private bool TryCombine(EventInformation first, EventInformation second, out EventInformation information)
    {
        switch (EventCombination.Combine(first, second, out information, out EventInformation left))
        {
            case EventCombinationResult.TripleFault:
                SuspendByTripleFault(Backend, [new(first, null, WasAttempted: true), new(second, PageFaultAddress(second), WasAttempted: false)]);
                return false;
            case EventCombinationResult.Event when left.IsValid:
                _exitEvents.PutFirst(left);
                return true;
            case EventCombinationResult.Event:
                return true;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public (EventInformation ExitEvent, EventInformation Exception) GetPendingEvents() => (_exitEvents.First, _exceptionEvent);

    /// <inheritdoc/>
    public void InjectNmi()
    {
        Volatile.Write(ref _nmiPending, true);
        Notify();
    }

    /// <inheritdoc/>
    public void ClearNmi()
    {
        if (!Interlocked.Exchange(ref _nmiPending, false))
        {
            throw new InvalidOperationException($"no NMI is pending on vCPU {Id}");
        }

        _nmis++;
    }

    /// <inheritdoc/>
    public void InjectExternalInterrupt()
    {
        Volatile.Write(ref _externalInterruptPending, true);
        Notify();
    }

    /// <inheritdoc/>
    public void ClearExternalInterrupt()
    {
        if (!Interlocked.Exchange(ref _externalInterruptPending, false))
        {
            throw new InvalidOperationException($"no external interrupt is pending on vCPU {Id}");
        }

        _externalInterrupts++;
        Interlocked.Exchange(ref _attention, 1);
    }

    /// <inheritdoc/>
    public void InjectInit()
    {
        lock (_gate)
        {
            _runState = (_runState | VcpuRunState.PendingInit) & ~VcpuRunState.PendingSipi;
        }

        Notify();
    }

    /// <inheritdoc/>
    public void InjectSipi(byte vector)
    {
        bool waits;
        lock (_gate)
        {
            _runState |= VcpuRunState.PendingSipi;
            _sipiVector = vector;
            waits = (_runState & (VcpuRunState.Init | VcpuRunState.Run)) == VcpuRunState.Init;
        }

        if (waits)
        {
            Notify();
        }
    }

    /// <inheritdoc/>
    public VcpuRunState GetRunState(out byte sipiVector)
    {
        lock (_gate)
        {
            sipiVector = _sipiVector;
            return _runState;
        }
    }

    /// <inheritdoc/>
    public void SetRunState(VcpuRunState state, byte sipiVector = 0)
    {
        if ((state & ~KnownRunState) != 0)
        {
            EngineThrow.Invalid("vm_set_run_state", $"0x{(int)state:x} has unknown bits");
        }

        lock (_gate)
        {
            _runState = state;
            _sipiVector = sipiVector;
        }

        Notify();
    }

    /// <summary>Hands the backend what is due, in the header's order: the combined event, NMI, external interrupt.</summary>
    private void InjectEvents(IBackendVcpu backend)
    {
        bool injected = (!_exitEvents.IsEmpty || _exceptionEvent.IsValid) && InjectCombined(backend);
        if (IsNmiPending)
        {
            ClearNmi();
            backend.InjectNmi();
            _nmiHandedOver = true;
            injected |= _apic is not null;
        }

        if (_apic is { } apic)
        {
            InjectChipInterrupt(backend, apic, injected);
        }
        else if (Id.Value == 0 && _machine.Chips?.AtPic is { } pic)
        {
            InjectPicInterrupt(backend, pic, injected);
        }
        else if (IsExternalInterruptPending
            && _machine.InterruptControllerMode == InterruptControllerMode.Userspace
            && _machine.ExternalInterruptSource is { } source)
        {
            if (!injected && backend.IsReadyForInterrupt)
            {
                ClearExternalInterrupt();
                backend.InjectInterrupt(source.Acknowledge());
                backend.InterruptWindowRequested = false;
            }
            else
            {
                backend.InterruptWindowRequested = true;
            }
        }
        else if (backend.InterruptWindowRequested)
        {
            // Nobody waits for the window any more: left open, the guest would exit at each entry and get nowhere.
            backend.InterruptWindowRequested = false;
        }
    }

    /// <summary>Injects the event cut short and the queued exception, combined.</summary>
    /// <returns>Whether an event is on its way.</returns>
    private bool InjectCombined(IBackendVcpu backend)
    {
        BackendEvents events = backend.Events;
        if (events.Pending.IsValid || (events.Injected.IsValid && !_exitEvents.IsEmpty))
        {
            // Only one event fits: the hypervisor's own goes first, these are looked at after the next exit.
            Interlocked.Exchange(ref _attention, 1);
            return true;
        }

        if (events.Injected.IsValid)
        {
            // What the hypervisor is about to deliver again is an event whose delivery an exit cut short.
            _exitEvents.PutFirst(events.Injected);
        }

        bool any = TryTakeEntryEvent(out EventInformation information);
        backend.Events = events with { Injected = information };
        if (!_exitEvents.IsEmpty)
        {
            Interlocked.Exchange(ref _attention, 1);
        }

        return any;
    }
}
