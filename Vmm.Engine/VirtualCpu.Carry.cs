// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Msr;
using Vmm.Engine.SecondChance;

namespace Vmm.Engine;

/// <content>
/// Kernel mode carried by the engine. Where the hypervisor interprets it, a vCPU that has needed a second chance executes it in batches
/// from then on; the hypervisor executes single instructions: those that it owns, and one now and then so that what is pending inside
/// it gets to the guest.
/// </content>
public sealed partial class VirtualCpu
{
    private bool _carries;
    private bool _isStep;
    private bool _mayBeHalted;
    private bool _isDebugStateStale = true;
    private bool _hasBreakpoints;
    private bool _hasStaleTranslations;
    private bool _hasStaleShadows;
    private bool _awaitsHypervisor;
    private long _hypervisorSteps;

    /// <summary>Whether batches are longer than one instruction: the hypervisor interprets, and nobody looks at each instruction.</summary>
    private bool HasBatches =>
        _machine.HypervisorBackend.Description.InterpretsKernelMode
        && !_singleSteps
        && !_hasBreakpoints;

    /// <summary>Whether batches are this vCPU's way to execute kernel mode, from now on.</summary>
    private bool WouldCarry(IBackendVcpu backend) => backend.CanRunOne && BatchLimit > 1;

    /// <summary>A register is plain state that both the hypervisor and the engine may handle.</summary>
    internal bool IsPlainMsr(uint index) => _machine.Options.MsrFilter is not { } filter
        || (filter.Allows(new MsrIndex(index), isWrite: false) && filter.Allows(new MsrIndex(index), isWrite: true));

    /// <summary>A register is the local APIC's, and that is the engine's.</summary>
    internal bool IsLocalApicMsr(uint index) =>
        _apic is not null && IsChips(new MsrIndex(index)) && _machine.MsrTable.TryFind(index, out _);

    internal MsrOutcome ReadCarriedMsr(uint index, out ulong value)
    {
        _machine.MsrAccesses.Record(new MsrIndex(index), isWrite: false, MsrAnswer.Chip);
        return ReadLocalApicMsr(index, out value);
    }

    internal MsrOutcome WriteCarriedMsr(uint index, ulong value)
    {
        _machine.MsrAccesses.Record(new MsrIndex(index), isWrite: true, MsrAnswer.Chip);
        return WriteLocalApicMsr(index, value);
    }

    /// <summary>Goes on with the guest: in the executor where that is the vCPU's way, else in the hypervisor.</summary>
    private Next GoOn(IBackendVcpu backend)
    {
        if (!_carries)
        {
            return Enter(backend);
        }

        if (backend.Pending != PendingOperation.None && !Complete(backend))
        {
            return Handle(backend);
        }

        EmulatedVcpu emulated = LoadEmulated(backend);
        if (!HasBatches || IsDebugged || !emulated.IsCarriable)
        {
            return Enter(backend);
        }

        if (_mayBeHalted)
        {
            _mayBeHalted = backend.Activity is BackendActivity.Halted;
            if (_mayBeHalted)
            {
                return Step(backend, emulated);
            }
        }

        BackendEvents events = backend.Events;
        bool hasEvent = events.Injected.IsValid || events.Pending.IsValid || events.NmiPending || _awaitsHypervisor;
        _awaitsHypervisor = false;
        return hasEvent ? Step(backend, emulated) : Carry(backend, emulated);
    }

    /// <summary>Executes a batch, and has the hypervisor execute the instruction that ended it, if that is one that it owns.</summary>
    private Next Carry(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        bool isUserspace = _machine.InterruptControllerMode == InterruptControllerMode.Userspace;
        emulated.Carries = true;
        emulated.AwaitsWindow = backend.InterruptWindowRequested;
        ExecutionResult result = ExecuteBatch(emulated);
        emulated.Store(backend);
        SettleMemory(backend, emulated);
        SettleEvents(backend, emulated);
        if (emulated.AwaitsWindow && emulated.IsInterruptible)
        {
            Interlocked.Exchange(ref _attention, 1);
        }

        _isDebugStateStale |= emulated.HasArmedBreakpoints;
        bool isOver = IsWanted || !emulated.IsCarriable || emulated.HasArmedBreakpoints;
        switch (result.Status)
        {
            case ExecutionStatus.Pending:
                return ShowWaiting(backend, emulated);
            case ExecutionStatus.Shutdown:
                emulated.Accesses.Reset();
                SuspendByTripleFault(backend, emulated.State.Trail.ToSteps());
                Interlocked.Exchange(ref _attention, 1);
                return Next.Continue;
            case ExecutionStatus.Halted:
                Halt(backend, isUserspace);
                return AfterEmulation(emulated);
            case ExecutionStatus.Completed when isUserspace || isOver:
            case ExecutionStatus.Refused when isOver && !emulated.IsFirst:
                return AfterEmulation(emulated);
            default:
                Next next = AfterEmulation(emulated);
                _awaitsHypervisor = IsShared(emulated);
                return next == Next.Return ? next
                    : emulated.MayFaultInHypervisor ? Enter(backend)
                    : Step(backend, emulated);
        }
    }

    /// <summary>
    /// Whether the register of an access that the hypervisor owns is one by which guest and hypervisor share memory, as a clock's page: it
    /// fills that in at its next entry, which comes before the guest looks.
    /// </summary>
    private static bool IsShared(EmulatedVcpu emulated)
    {
        const int Counter = 1;
        return emulated.Refusal == EmulationRefusal.OwnedByHypervisor
            && MsrRegistry.TryFind(new MsrIndex((uint)emulated.State.General[Counter]), out MsrDescription description)
            && description is { Layer: MsrLayer.Hypervisor, Sensitivity: MsrSensitivity.Guest };
    }

    /// <summary>HLT was executed: whoever has the interrupt controllers knows when it ends.</summary>
    private void Halt(IBackendVcpu backend, bool isUserspace)
    {
        if (isUserspace)
        {
            _haltExits++;
            _isHalted = true;
            Interlocked.Exchange(ref _attention, 1);
        }
        else
        {
            backend.Activity = BackendActivity.Halted;
            _mayBeHalted = true;
        }
    }

    /// <summary>Executes up to the limit. Exceptions are delivered; what only nobody claims is the engine's too.</summary>
    private ExecutionResult ExecuteBatch(EmulatedVcpu emulated)
    {
        ExecutionResult result;
        long left = _machine.BatchLimit;
        do
        {
            result = Execute(emulated, left, out long executed);
            _emulatedInstructions += executed;
            left -= executed;
            if (result.Status == ExecutionStatus.Fault)
            {
                _exceptions++;
                left--;
                if (result.Vector == DebugVector)
                {
                    emulated.Require(StateNeeds.Debug);
                }

                result = Deliver(emulated, result);
            }
            else if (result.Status != ExecutionStatus.Refused || emulated.Refusal != EmulationRefusal.LeftToHypervisor)
            {
                return result;
            }
            else
            {
                result = default;
            }

            if (result.Status != ExecutionStatus.Completed || emulated.DroppedWrite is not null)
            {
                return result;
            }

            emulated.Begin();
        }
        while (left > 0 && !emulated.MustEnd());
        return result;
    }

    private ExecutionResult Deliver(EmulatedVcpu emulated, in ExecutionResult fault)
    {
        EmulatedCpu cpu = new(emulated);
        EnterMemory();
        try
        {
            ExecutionResult result = Executor.Raise(ref cpu, fault);
            if (result.Status == ExecutionStatus.Completed)
            {
                emulated.Accesses.Reset();
            }

            return result;
        }
        finally
        {
            emulated.SettleWrites();
            LeaveMemory();
        }
    }

    /// <summary>
    /// Translations that the hypervisor has made matter when the processor executes the guest, in user mode: until then they may be stale.
    /// Other vCPUs may be in user mode all the time.
    /// </summary>
    private void SettleMemory(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        _hasStaleTranslations |= emulated.HasChangedTranslations;
        _hasStaleShadows |= emulated.HasWrittenRam;
        if (_machine.VcpuSpan.Length > 1)
        {
            ForgetStale(backend);
        }
    }

    private void ForgetStale(IBackendVcpu backend)
    {
        if (_hasStaleTranslations)
        {
            backend.ForgetTranslations();
        }
        else if (_hasStaleShadows)
        {
            backend.MemoryWritten();
        }

        _hasStaleTranslations = false;
        _hasStaleShadows = false;
    }

    /// <summary>The hypervisor delivers what is due and executes one instruction.</summary>
    private Next Step(IBackendVcpu backend, EmulatedVcpu emulated)
    {
        _hypervisorSteps++;
        _isStep = true;
        int identification = emulated.IdentificationLength;
        Abstractions.Registers.GeneralRegisters before = identification != 0 ? backend.GeneralRegisters : default;
        EnterGuest(backend);
        if (backend.Pending == PendingOperation.None)
        {
            if (identification != 0)
            {
                HideAbsentFeatures(backend, in before, identification);
            }

            emulated.ClearStepInFrame(backend.GetRegister(RegisterName.Rip), backend.GetRegister(RegisterName.Rsp));
        }

        if (_exit.Code == ExitCode.Bogus)
        {
            DeliverCollected(backend);
            return Next.Continue;
        }

        return TakeExit(backend);
    }

    /// <summary>The hypervisor has executed CPUID, or has delivered something else in front of it.</summary>
    private static void HideAbsentFeatures(IBackendVcpu backend, in Abstractions.Registers.GeneralRegisters before, int length)
    {
        Abstractions.Registers.GeneralRegisters after = backend.GeneralRegisters;
        if (after.Rip != before.Rip + (uint)length)
        {
            return;
        }

        CpuidEntry answer = new((uint)before.Rax, (uint)before.Rcx, MatchIndex: true, (uint)after.Rax, (uint)after.Rbx, (uint)after.Rcx, (uint)after.Rdx);
        CpuidEntry shown = CarriedProcessor.WithoutAbsent(answer);
        if (shown != answer)
        {
            backend.GeneralRegisters = after with { Rax = shown.Eax, Rbx = shown.Ebx, Rcx = shown.Ecx, Rdx = shown.Edx };
        }
    }

    private Next Enter(IBackendVcpu backend)
    {
        _isStep = false;
        EnterGuest(backend);
        return TakeExit(backend);
    }

    /// <summary>The guest's breakpoints are the hypervisor's to see.</summary>
    private void LookForBreakpoints(IBackendVcpu backend)
    {
        const ulong Enables = 0xff;
        if (_isDebugStateStale)
        {
            _hasBreakpoints = (backend.GetRegister(RegisterName.Dr7) & Enables) != 0;
            _isDebugStateStale = false;
        }
    }
}
