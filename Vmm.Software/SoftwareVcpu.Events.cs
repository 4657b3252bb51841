// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <content>Events on their way into the guest.</content>
internal sealed partial class SoftwareVcpu
{
    private const ulong InterruptFlag = 1 << 9;
    private const byte PageFaultVector = 14;

    private BackendEvents _events;
    private bool _hasEvents;

    /// <inheritdoc/>
    public BackendEvents Events
    {
        get => _events with { InterruptShadow = State.Shadow != InterruptShadow.None };
        set
        {
            // Either kind of shadow reads as set; a new one counts as STI's, which blocks maskable interrupts only.
            State.Shadow = !value.InterruptShadow ? InterruptShadow.None
                : State.Shadow == InterruptShadow.None ? InterruptShadow.Sti : State.Shadow;
            _events = value;
            NoteEvents();
        }
    }

    /// <inheritdoc/>
    public bool IsReadyForInterrupt => _pending == PendingOperation.None && CanTakeInterrupt;

    /// <inheritdoc/>
    public bool InterruptWindowRequested { get; set; }

    /// <inheritdoc/>
    public byte TaskPriority
    {
        get => (byte)State.Cr8;
        set => State.Cr8 = value & 0xfu;
    }

    private bool CanTakeInterrupt => (State.Rflags & InterruptFlag) != 0
        && State.Shadow == InterruptShadow.None
        && !_events.Injected.IsValid
        && !_events.Pending.IsValid;

    /// <inheritdoc/>
    public void InjectInterrupt(byte vector)
    {
        if (!IsReadyForInterrupt)
        {
            throw new VmmException("InjectInterrupt", VmmError.EBUSY, $"vCPU {Id} cannot take an interrupt now");
        }

        _events = _events with { Injected = EventInformation.Create(EventType.HardwareInterrupt, vector) };
        NoteEvents();
    }

    /// <inheritdoc/>
    public void InjectNmi()
    {
        _events = _events with { NmiPending = true };
        NoteEvents();
    }

    private void NoteEvents() =>
        _hasEvents = _events.Injected.IsValid || _events.Pending.IsValid || (_events.NmiPending && !_events.NmiBlocked);

    /// <summary>An exception that is due at the next entry.</summary>
    private void Pend(in ExecutionResult fault)
    {
        if (fault.Vector == PageFaultVector)
        {
            State.Cr2 = fault.FaultAddress;
        }

        _events = _events with
        {
            Pending = EventInformation.Create(
                EventType.HardwareException, fault.Vector, fault.HasErrorCode && State.IsProtected ? fault.ErrorCode : null),
        };
        NoteEvents();
    }

    /// <summary>Delivers everything that is due: what has begun, an exception, an NMI.</summary>
    private ExecutionResult DeliverEvents()
    {
        while (_hasEvents)
        {
            // An NMI waits behind STI and MOV SS like other interrupts (Intel SDM volume 3, interrupts when switching stacks).
            bool isOnlyNmi = !_events.Injected.IsValid && !_events.Pending.IsValid;
            if (isOnlyNmi && State.Shadow != InterruptShadow.None)
            {
                return default;
            }

            ExecutionResult result = DeliverEvent();
            if (result.Status is not (ExecutionStatus.Completed or ExecutionStatus.Fault))
            {
                return result;
            }
        }

        return default;
    }

    /// <summary>Delivers the event that is due first. On a fault in the delivery of an interrupt, the fault is due next.</summary>
    private ExecutionResult DeliverEvent()
    {
        EventInformation due = _events.Injected.IsValid ? _events.Injected
            : _events.Pending.IsValid ? _events.Pending
            : EventInformation.Create(EventType.Nmi, (byte)ExceptionVector.Nmi);
        ExecutionResult result = Deliver(due);
        switch (result.Status)
        {
            case ExecutionStatus.Pending:
                _isPendingInDelivery = true;
                return result;
            case ExecutionStatus.Completed:
                Take(due);
                return result;
            case ExecutionStatus.Fault:
                Take(due);
                Pend(result);
                return result;
            default:
                return result;
        }
    }

    private ExecutionResult Deliver(EventInformation due)
    {
        SoftwareCpu<Unwatched> cpu = new(this, State);
        uint? errorCode = due.HasErrorCode ? due.ErrorCode : null;
        return due.Type switch
        {
            EventType.HardwareException => Executor.Raise(
                ref cpu, new ExecutionResult(ExecutionStatus.Fault, due.Vector, due.HasErrorCode, due.ErrorCode, State.Cr2)),
            EventType.SoftwareInterrupt => Executor.Deliver(ref cpu, due.Vector, InterruptKind.SoftwareInterrupt, errorCode),
            EventType.SoftwareException => Executor.Deliver(ref cpu, due.Vector, InterruptKind.SoftwareException, errorCode),
            EventType.PrivilegedSoftwareException => Executor.Deliver(ref cpu, due.Vector, InterruptKind.PrivilegedException, errorCode),
            _ => Executor.Deliver(ref cpu, due.Vector, InterruptKind.External, errorCode),
        };
    }

    private void Take(EventInformation due)
    {
        bool isNmi = due.Type == EventType.Nmi;
        _events = _events.Injected.IsValid ? _events with { Injected = default }
            : _events.Pending.IsValid ? _events with { Pending = default }
            : _events with { NmiPending = false };
        _events = _events with { NmiBlocked = _events.NmiBlocked || isNmi };
        NoteEvents();
    }
}
