// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
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

    /// <summary>The vCPU has memory to itself and goes on accessing it.</summary>
    internal void ReturnToMemory() => Interlocked.Exchange(ref _isInMemory, 1);

    /// <summary>Whether a device of the engine answers an access.</summary>
    internal bool IsClaimed(AccessKind kind, ulong address) => kind switch
    {
        AccessKind.PortIn => _machine.PortTable.Find((ushort)address) is not null,
        AccessKind.PortOut => _machine.PortTable.Find((ushort)address) is not null || HasDoorbell(BusKind.Port, address),
        AccessKind.MemoryRead => _machine.MmioTable.TryFind(address, out _),
        _ => _machine.MmioTable.TryFind(address, out _) || HasDoorbell(BusKind.Memory, address),
    };

    internal BusOutcome ReadMmio(ulong address, int bytes, out ulong value)
    {
        value = ulong.MaxValue;
        if (!TryFindMmio(address, bytes, out RangeTable<IMmioHandler>.Entry entry))
        {
            return UnclaimedMemory(address);
        }

        _mmioExits++;
        value = entry.Value.Read(this, address - entry.First, bytes);
        return BusOutcome.Done;
    }

    internal BusOutcome WriteMmio(ulong address, int bytes, ulong value)
    {
        if (TryRing(BusKind.Memory, address, bytes, value))
        {
            _mmioExits++;
            return BusOutcome.Done;
        }

        if (!TryFindMmio(address, bytes, out RangeTable<IMmioHandler>.Entry entry))
        {
            return UnclaimedMemory(address);
        }

        _mmioExits++;
        entry.Value.Write(this, address - entry.First, bytes, value);
        return BusOutcome.Done;
    }

    internal BusOutcome ReadPort(ushort port, int bytes, out uint value)
    {
        value = uint.MaxValue;
        IPortHandler? handler = _machine.PortTable.Find(port);
        if (handler is null)
        {
            return UnclaimedPort(port);
        }

        _portExits++;
        return Outcome(handler.Read(this, port, bytes, out value), port, ref value);
    }

    internal BusOutcome WritePort(ushort port, int bytes, uint value)
    {
        if (TryRing(BusKind.Port, port, bytes, value))
        {
            _portExits++;
            return BusOutcome.Done;
        }

        IPortHandler? handler = _machine.PortTable.Find(port);
        if (handler is null)
        {
            return UnclaimedPort(port);
        }

        _portExits++;
        return Outcome(handler.Write(this, port, bytes, value), port, ref value);
    }

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

    /// <summary>Executes the instruction again whose access was fulfilled, and only it.</summary>
    private Next ResumeEmulation(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        GeneralRegisters shown = _shown;
        GeneralRegisters wanted = backend.GeneralRegisters;
        emulated.Begin();
        Next next = Emulate(backend, emulated, limit: 1);
        if (wanted != shown)
        {
            backend.GeneralRegisters = HeldRegisters.Apply(shown, wanted, backend.GeneralRegisters);
        }

        return next;
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
                _shown = backend.GeneralRegisters;
                ShowAccess(emulated.Accesses.Waiting, emulated.State.Rip);
                return Next.Return;
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
        _machine.Exclusion.Enter(ref _isInMemory);
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
        _machine.Exclusion.Enter(ref _isInMemory);
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
                if (result.Vector == PageFaultVector)
                {
                    backend.SetRegister(RegisterName.Cr2, result.FaultAddress);
                }

                // It takes the place of the event that was being delivered. What waits behind that goes on waiting.
                _ = TryCombine(injected, ToEvent(emulated.State, result), out EventInformation combined);
                backend.Events = events with { Injected = combined };
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
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

    private void ShowAccess(in DeviceAccess access, ulong rip)
    {
        if (access.IsPort)
        {
            PortFlags flags = access.IsRead ? PortFlags.In : PortFlags.None;
            _exit.SetPort(
                new PortExit((ushort)access.Address, (byte)access.Length, flags, 1, (uint)access.Data), rip, RipPosition.AtInstruction);
        }
        else
        {
            _exit.SetMmio(
                new MmioExit(new GuestPhysicalAddress(access.Address), (byte)access.Length, access.IsRead, access.Data),
                rip,
                RipPosition.AtInstruction);
        }
    }

    /// <summary>Gives the caller's answer to the instruction that waits; what it answers was compared with the exit.</summary>
    private void FulfillEmulation(ulong value)
    {
        ref readonly DeviceAccess waiting = ref _emulated!.Accesses.Waiting;
        _emulated.Accesses.TryFulfill(waiting.Kind, waiting.Address, waiting.Length, value);
    }

    private BusOutcome Outcome(PortOutcome outcome, ushort port, ref uint value)
    {
        switch (outcome)
        {
            case PortOutcome.Handled:
                return BusOutcome.Done;
            case PortOutcome.Refused:
                return BusOutcome.Refused;
            default:
                value = uint.MaxValue;
                return UnclaimedPort(port);
        }
    }
}
