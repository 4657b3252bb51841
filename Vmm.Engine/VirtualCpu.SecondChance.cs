// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Requests;
using Vmm.Engine.SecondChance;
using GeneralRegisters = Vmm.Abstractions.Registers.GeneralRegisters;

namespace Vmm.Engine;

/// <content>
/// The second chance: what the hypervisor cannot emulate, the engine executes. One instruction at least; where the hypervisor
/// interprets the guest anyway, a batch.
/// </content>
public sealed partial class VirtualCpu
{
    private const ulong TrapFlag = 1 << 8;
    private const byte DebugVector = 1;
    private const byte PageFaultVector = 14;

    private EmulatedVcpu? _emulated;
    private InstructionEmulationExit _failure;
    private GeneralRegisters _shown;
    private bool _deliversFirst;
    private int _isInMemory;
    private long _secondChances;
    private long _emulatedInstructions;

    /// <summary>
    /// Why the last <see cref="ExitCode.InstructionEmulation"/> exit came out although the engine executes what the hypervisor
    /// cannot. For the thread that got the exit.
    /// </summary>
    public EmulationRefusal Refusal { get; private set; }

    /// <summary>Whether the vCPU may be accessing guest memory.</summary>
    internal bool IsInMemory => Volatile.Read(ref _isInMemory) != 0;

    /// <summary>What the engine has begun for this vCPU and not finished.</summary>
    private PendingOperation EmulationPending => _emulated?.Accesses.Status switch
    {
        RequestStatus.Pending => PendingOperation.Exit,
        RequestStatus.Fulfilled => PendingOperation.Answered,
        _ => PendingOperation.None,
    };

    /// <summary>Whether there is something to look at before the next instruction.</summary>
    internal bool IsWanted => Volatile.Read(ref _attention) != 0;

    /// <summary>The vCPU does not access memory for a while.</summary>
    internal void LeaveMemory() => Volatile.Write(ref _isInMemory, 0);

    /// <summary>The vCPU is going to access memory; waits while another one has it to itself.</summary>
    internal void EnterMemory() => _machine.Exclusion.Enter(ref _isInMemory);

    /// <summary>The vCPU has memory to itself and goes on accessing it.</summary>
    internal void ReturnToMemory() => Interlocked.Exchange(ref _isInMemory, 1);

    /// <summary>The hypervisor gave up on an instruction: executes it, and goes on from there.</summary>
    private Next HandleEmulationFailure(IBackendVcpu backend)
    {
        _failure = _exit.InstructionEmulation;
        if (!_machine.Options.SecondChance)
        {
            Refusal = EmulationRefusal.SwitchedOff;
            return Next.Return;
        }

        EmulatedVcpu emulated = LoadEmulated(backend);
        _carries = WouldCarry(backend);
        BackendEvents events = backend.Events;
        return events.Injected.IsValid ? DeliverFirst(backend, emulated, events) : Emulate(backend, emulated, BatchLimit);
    }

    /// <summary>
    /// An access to a device that the backend leaves to the engine to decode: executes the instruction, if its operand is where the
    /// backend says.
    /// </summary>
    private Next HandleMmioEmulation(IBackendVcpu backend)
    {
        _mmioExits++;
        GuestLinearAddress? linear = _exit.MmioEmulation.LinearAddress;
        EmulatedVcpu emulated = LoadEmulated(backend);
        emulated.ExpectedOperand = linear?.Value;
        _failure = new InstructionEmulationExit(emulated.FetchBytes(stackalloc byte[InstructionBytes.Length]), 0, 0);
        return Emulate(backend, emulated, limit: 1);
    }

    private EmulatedVcpu LoadEmulated(IBackendVcpu backend)
    {
        EmulatedVcpu emulated = _emulated ??= new EmulatedVcpu(this, _machine, _cpuidAnswers);
        emulated.Load(backend);
        LookForBreakpoints(backend);
        if (_hasBreakpoints || (emulated.State.Rflags & TrapFlag) != 0)
        {
            emulated.Require(StateNeeds.Debug);
        }

        return emulated;
    }

    /// <summary>Executes the instruction again whose access was fulfilled, and only it, or delivers the event again.</summary>
    private Next ResumeEmulation(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        GeneralRegisters shown = _shown;
        GeneralRegisters wanted = backend.GeneralRegisters;
        emulated.Resume();
        try
        {
            return _deliversFirst ? DeliverFirst(backend, emulated, backend.Events) : Emulate(backend, emulated, limit: 1);
        }
        finally
        {
            if (wanted != shown)
            {
                backend.GeneralRegisters = HeldRegisters.Apply(shown, wanted, backend.GeneralRegisters);
            }
        }
    }

    private long BatchLimit => HasBatches ? _machine.BatchLimit : 1;

    private Next Emulate(IBackendVcpu backend, EmulatedVcpu emulated, long limit)
    {
        bool counts = emulated.Accesses.Count == 0;
        ExecutionResult result = Execute(emulated, limit, out long executed);
        emulated.Store(backend);
        _emulatedInstructions += executed;
        if (counts && _exit.Code == ExitCode.InstructionEmulation && (executed > 0 || result.Status is ExecutionStatus.Fault or ExecutionStatus.Pending))
        {
            _secondChances++;
            _machine.SecondChances.Count(emulated.First, _failure.Bytes, emulated.State.Rip);
        }

        SettleMemory(backend, emulated);
        switch (result.Status)
        {
            case ExecutionStatus.Fault:
                Raise(backend, emulated, result);
                break;
            case ExecutionStatus.Pending:
                SettleEvents(backend, emulated);
                return ShowWaiting(backend, emulated);
            case ExecutionStatus.NotExecutable or ExecutionStatus.Refused when emulated.IsFirst:
                return Refuse(emulated, result.Status);
            default:
                SettleEvents(backend, emulated);
                break;
        }

        return AfterEmulation(emulated);
    }

    private ExecutionResult Execute(EmulatedVcpu emulated, long limit, out long executed)
    {
        EmulatedCpu cpu = new(emulated);
        EnterMemory();
        try
        {
            return Executor.Run(ref cpu, limit, deliver: false, out executed);
        }
        finally
        {
            emulated.SettleWrites();
            LeaveMemory();
        }
    }

    /// <summary>What the guest's instruction did besides: a write to ROM that was dropped, a step for whoever steps.</summary>
    private Next AfterEmulation(EmulatedVcpu emulated)
    {
        emulated.Accesses.Reset();
        if (emulated.DroppedWrite is { } address)
        {
            _exit.SetPaging(ExitCode.Paging, new PagingExit(address, MemoryProtection.Write), emulated.State.Rip);
            return Next.Return;
        }

        if (_singleSteps)
        {
            ShowStep(emulated.State.Rip);
            return Next.Return;
        }

        return Next.Continue;
    }

    /// <summary>Nothing else executes before an event whose delivery the failure cut short.</summary>
    private Next DeliverFirst(IBackendVcpu backend, EmulatedVcpu emulated, in BackendEvents events)
    {
        EventInformation injected = events.Injected;
        InterruptKind kind = injected.Type switch
        {
            EventType.HardwareException => InterruptKind.HardwareException,
            EventType.SoftwareInterrupt => InterruptKind.SoftwareInterrupt,
            _ => InterruptKind.External,
        };
        EmulatedCpu cpu = new(emulated);
        EnterMemory();
        ExecutionResult result;
        try
        {
            result = Executor.Deliver(ref cpu, injected.Vector, kind, injected.HasErrorCode ? injected.ErrorCode : null);
        }
        finally
        {
            emulated.SettleWrites();
            LeaveMemory();
        }

        switch (result.Status)
        {
            case ExecutionStatus.Completed:
                emulated.Accesses.Reset();
                emulated.Store(backend);
                backend.Events = events with
                {
                    Injected = EventInformation.None,
                    InterruptShadow = false,
                    NmiBlocked = events.NmiBlocked || injected.Type == EventType.Nmi,
                };
                SettleMemory(backend, emulated);
                return Next.Continue;
            case ExecutionStatus.Fault:
                emulated.Accesses.Reset();
                if (result.Vector == PageFaultVector)
                {
                    backend.SetRegister(RegisterName.Cr2, result.FaultAddress);
                }

                // It takes the place of the event that was being delivered. What waits behind that goes on waiting.
                _ = TryCombine(injected, ToEvent(emulated.State, result), out EventInformation combined);
                backend.Events = events with { Injected = combined };
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExecutionStatus.Pending:
                return ShowWaiting(backend, emulated, delivers: true);
            default:
                return Refuse(emulated, result.Status);
        }
    }

    private void Raise(IBackendVcpu backend, EmulatedVcpu emulated, in ExecutionResult fault)
    {
        if (fault.Vector == PageFaultVector)
        {
            backend.SetRegister(RegisterName.Cr2, fault.FaultAddress);
        }

        _exceptions++;
        BackendEvents events = backend.Events;
        backend.Events = events with
        {
            Pending = ToEvent(emulated.State, fault),
            InterruptShadow = false,
            NmiBlocked = events.NmiBlocked && !emulated.HasUnblockedNmis,
        };
        emulated.HasUnblockedNmis = false;
    }

    /// <summary>The interrupt shadow follows what was executed; an IRET ends the blocking of NMIs.</summary>
    private static void SettleEvents(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        BackendEvents events = backend.Events;
        BackendEvents settled = events with
        {
            InterruptShadow = emulated.State.Shadow != InterruptShadow.None,
            NmiBlocked = events.NmiBlocked && !emulated.HasUnblockedNmis,
        };
        emulated.HasUnblockedNmis = false;
        if (settled != events)
        {
            backend.Events = settled;
        }
    }

    private static EventInformation ToEvent(CpuState state, in ExecutionResult fault) => EventInformation.Create(
        EventType.HardwareException, fault.Vector, fault.HasErrorCode && state.IsProtected ? fault.ErrorCode : null);

    private Next Refuse(EmulatedVcpu emulated, ExecutionStatus status)
    {
        if (StopsBeforeInt3(emulated))
        {
            return Next.Return;
        }

        emulated.Accesses.Reset();
        Refusal = status switch
        {
            ExecutionStatus.NotExecutable => emulated.State.Refusal switch
            {
                ExecutionRefusal.TaskSwitch => EmulationRefusal.TaskSwitch,
                ExecutionRefusal.SupervisorState => EmulationRefusal.SupervisorState,
                _ => EmulationRefusal.NotExecutable,
            },
            _ when emulated.Refusal != EmulationRefusal.None => emulated.Refusal,
            _ => EmulationRefusal.NotInMemory,
        };
        _exit.SetInstructionEmulation(_failure, emulated.State.Rip);
        return Next.Return;
    }
}
