// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;

namespace Vmm.Software;

/// <content>Runs, kicks, and the completion of pending operations.</content>
internal sealed partial class SoftwareVcpu
{
    /// <summary>
    /// Instructions between two looks at kicks and events: less than a tenth of a millisecond.
    /// </summary>
    private const int Batch = 8192;

    /// <summary>The same where instructions make the time, and a timer is late by as much.</summary>
    private const int TimedBatch = 2048;

    /// <summary>Batches after which the caller gets to look at its timers, if nothing else happens.</summary>
    private const int BatchesPerRun = 4;

    private int _kicked;
    private bool _isAlone;
    private PendingOperation _pending;
    private bool _isPendingInDelivery;
    private bool _hasDeferredExit;
    private VmExit _deferredExit;
    private readonly byte[] _exitData = new byte[DeviceAccess.MaximumLength];

    /// <inheritdoc/>
    public PendingOperation Pending => _pending;

    /// <inheritdoc/>
    public Span<byte> ExitData => _pending != PendingOperation.None && _waiting == WaitingFor.Device && Accesses.Waiting.IsPort
        ? _exitData.AsSpan(0, Accesses.Waiting.Length)
        : default;

    /// <inheritdoc/>
    public void BeginRun()
    {
        // A vCPU in software needs nothing of the thread that executes it.
    }

    /// <inheritdoc/>
    public void EndRun()
    {
        // See BeginRun.
    }

    /// <inheritdoc/>
    public void Kick() => Volatile.Write(ref _kicked, 1);

    /// <inheritdoc/>
    public void Run(ref VmExit exit)
    {
        RequireAnswered("Run");
        if (TakeDeferred(ref exit))
        {
            return;
        }

        EnterMemory();
        try
        {
            if (_pending == PendingOperation.None || (Retire(ref exit) && !TakeDeferred(ref exit)))
            {
                Execute(ref exit);
            }
        }
        finally
        {
            LeaveMemory();
        }
    }

    /// <inheritdoc/>
    public void Fulfill(ulong value = 0, MsrOutcome outcome = MsrOutcome.Handled)
    {
        if (_pending != PendingOperation.Exit)
        {
            throw new InvalidOperationException("nothing is pending that could be fulfilled");
        }

        if (_waiting != WaitingFor.Device)
        {
            Answer(value, outcome);
        }
        else
        {
            ref readonly DeviceAccess waiting = ref Accesses.Waiting;
            Accesses.TryFulfill(waiting.Kind, waiting.Address, waiting.Length, value);
        }

        _pending = PendingOperation.Answered;
    }

    /// <inheritdoc/>
    public bool Complete(ref VmExit exit)
    {
        RequireAnswered("Complete");
        if (_pending == PendingOperation.None)
        {
            return true;
        }

        EnterMemory();
        try
        {
            return Retire(ref exit);
        }
        finally
        {
            LeaveMemory();
        }
    }

    /// <inheritdoc/>
    public void Discard()
    {
        if (_pending != PendingOperation.None)
        {
            Settle();
        }
    }

    /// <summary>The vCPU shows the state in front of an instruction, or behind the last one; nothing is answered or awaited.</summary>
    private void Settle()
    {
        Accesses.Reset();
        _waiting = WaitingFor.Nothing;
        _isPendingInDelivery = false;
        _pending = PendingOperation.None;
        ApplyHeldWrites();
    }

    private void RequireAnswered(string operation)
    {
        if (_pending == PendingOperation.Exit)
        {
            throw new VmmException(operation, VmmError.EBUSY, $"vCPU {Id} waits for the answer to an exit: fulfil or discard it first");
        }
    }

    private bool TakeDeferred(ref VmExit exit)
    {
        if (!_hasDeferredExit)
        {
            return false;
        }

        _hasDeferredExit = false;
        exit = _deferredExit;
        return true;
    }

    /// <summary>
    /// Forgets where memory was when it has come or gone since, or when writes have to be noted anew. Its own thread, whenever others may
    /// have had memory to themselves.
    /// </summary>
    public void FollowMap()
    {
        int version = _vm.MapVersion;
        if (version != _mapVersion)
        {
            _mapVersion = version;
            Region = MemoryRegion.None;
            State.FlushTranslations();
        }
    }

    /// <summary>Executes the answered instruction again, and only it.</summary>
    /// <returns>Whether it is done; otherwise <paramref name="exit"/> has its next access.</returns>
    private bool Retire(ref VmExit exit)
    {
        Accesses.Begin();
        ExecutionResult result = default;
        if (_isPendingInDelivery)
        {
            result = DeliverEvent();
        }
        else if (_waiting == WaitingFor.Hypercall)
        {
            RetireHypercall();
        }
        else
        {
            SoftwareCpu<Watched> cpu = new(this, State);
            _refusal = Refusal.None;
            _isAlone = true;
            result = Executor.Run(ref cpu, 1, deliver: false, out long executed);
            PassTime(executed);
        }

        if (result.Status == ExecutionStatus.Pending)
        {
            ShowPending(ref exit);
            return false;
        }

        Settle();
        switch (result.Status)
        {
            case ExecutionStatus.Completed when _singleSteps:
                DeferSingleStep();
                break;
            case ExecutionStatus.Completed:
                break;
            case ExecutionStatus.Fault:
                Pend(result);
                break;
            default:
                _hasDeferredExit = Translate(result, ref _deferredExit);
                break;
        }

        return true;
    }

    private void Execute(ref VmExit exit)
    {
        // Time that instructions make may have made an event due, which the engine learns when it gets the vCPU back.
        int most = _vm.Time is null ? BatchesPerRun : 1;
        for (int batches = 0; batches < most; batches++)
        {
            if (Volatile.Read(ref _kicked) != 0 && Interlocked.Exchange(ref _kicked, 0) != 0)
            {
                break;
            }

            if (_vm.Exclusion.IsHeld)
            {
                LeaveMemory();
                EnterMemory();
            }

            if (TryShowWatchpoint(ref exit))
            {
                return;
            }

            if (_hasEvents)
            {
                ExecutionResult delivered = DeliverEvents();
                if (delivered.Status != ExecutionStatus.Completed && Translate(delivered, ref exit))
                {
                    return;
                }
            }

            if (InterruptWindowRequested && IsReadyForInterrupt)
            {
                exit.Set(ExitCode.InterruptWindow, State.Rip);
                return;
            }

            ExecutionResult result = ExecuteBatch(continues: batches > 0);
            if (result.Status != ExecutionStatus.Completed && Translate(result, ref exit))
            {
                return;
            }

            if (_singleSteps)
            {
                ShowSingleStep(ref exit);
                return;
            }
        }

        exit.Set(ExitCode.Bogus, State.Rip);
    }

    private ExecutionResult ExecuteBatch(bool continues)
    {
        long limit = _singleSteps || _refusal == Refusal.TimeIsAsked ? 1 : _vm.Time?.Limit(TimedBatch) ?? Batch;
        _isAlone = limit == 1;
        _refusal = Refusal.None;
        ExecutionResult result;
        long executed;
        if (IsStepped)
        {
            SoftwareCpu<Watched> stepped = new(this, State);
            _hasRetired = false;
            result = Executor.Run(ref stepped, limit, deliver: true, out executed);
        }
        else
        {
            SoftwareCpu<Unwatched> cpu = new(this, State);
            result = continues
                ? Executor.Continue(ref cpu, limit, deliver: true, out executed)
                : Executor.Run(ref cpu, limit, deliver: true, out executed);
        }

        PassTime(executed);
        return result;
    }

    /// <summary>
    /// Time that instructions make passes. What is due then, or looks at a checkpoint, may want memory for itself.
    /// </summary>
    private void PassTime(long executed)
    {
        if (_vm.Time is { } time && executed != 0)
        {
            LeaveMemory();
            time.Pass(executed);
            EnterMemory();
        }
    }

    private void EnterMemory()
    {
        _vm.Exclusion.Enter(ref _isExecuting);
        FollowMap();
    }

    /// <summary>Makes an exit of what ended a batch, unless the batch only has to begin anew.</summary>
    private bool Translate(in ExecutionResult result, ref VmExit exit)
    {
        switch (result.Status)
        {
            case ExecutionStatus.Completed:
                return false;
            case ExecutionStatus.Pending:
                ShowPending(ref exit);
                return true;
            case ExecutionStatus.Halted:
                State.Halted = false;
                exit.SetValue(ExitCode.Hlt, State.Rflags, State.Rip);
                return true;
            case ExecutionStatus.Shutdown:
                exit.Set(ExitCode.Shutdown, State.Rip);
                return true;
            case ExecutionStatus.Fault:
                Pend(result);
                return false;
            case ExecutionStatus.NotExecutable:
                return TranslateUnknown(ref exit);
            default:
                return TranslateRefusal(ref exit);
        }
    }

    private void ShowPending(ref VmExit exit)
    {
        _pending = PendingOperation.Exit;
        if (_waiting == WaitingFor.Msr)
        {
            exit.SetMsr(_msr.IsWrite, new MsrExit(new MsrIndex(_msr.Index), _msr.Value, _msr.Reason), State.Rip);
            return;
        }

        _waiting = WaitingFor.Device;
        ref readonly DeviceAccess access = ref Accesses.Waiting;
        if (access.IsPort)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_exitData, access.Data);
            PortFlags flags = access.IsRead ? PortFlags.In : PortFlags.None;
            exit.SetPort(
                new PortExit((ushort)access.Address, (byte)access.Length, flags, 1, (uint)access.Data),
                State.Rip,
                RipPosition.AtInstruction);
        }
        else
        {
            exit.SetMmio(
                new MmioExit(new GuestPhysicalAddress(access.Address), (byte)access.Length, access.IsRead, access.Data),
                State.Rip,
                RipPosition.AtInstruction);
        }
    }
}
