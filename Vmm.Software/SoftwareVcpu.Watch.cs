// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <content>What is decided at single instructions: capabilities, breakpoints, the interrupt window, and instructions that end a batch.</content>
internal sealed partial class SoftwareVcpu
{
    private const ulong DebugEnables = 0xff;
    private const ulong SingleStepStatus = 1 << 14;
    private const uint BreakpointVector = 3;
    private const uint DebugVector = 1;

    private bool _singleSteps;
    private bool _exitsOnPause;
    private bool _exitsOnBreakpoint;
    private bool _hasRetired;
    private Refusal _refusal;
    private Instruction _refused;

    /// <summary>Whether each instruction has to be looked at.</summary>
    private bool IsStepped => _hasEvents | InterruptWindowRequested | _events.NmiBlocked | _singleSteps | _exitsOnPause | _exitsOnBreakpoint
        || (State.Dr7 & DebugEnables) != 0 || _breakpoints.Length != 0;

    /// <inheritdoc/>
    public bool GetCapability(VcpuCapability capability) => capability switch
    {
        VcpuCapability.HaltExit => true,
        VcpuCapability.MonitorTrapExit => _singleSteps,
        VcpuCapability.PauseExit => _exitsOnPause,
        VcpuCapability.BreakpointExit => _exitsOnBreakpoint,
        _ => throw NoCapability("vmgetcap", capability),
    };

    /// <inheritdoc/>
    public void SetCapability(VcpuCapability capability, bool enabled)
    {
        switch (capability)
        {
            case VcpuCapability.HaltExit when enabled:
                break;
            case VcpuCapability.MonitorTrapExit:
                _singleSteps = enabled;
                break;
            case VcpuCapability.PauseExit:
                _exitsOnPause = enabled;
                break;
            case VcpuCapability.BreakpointExit:
                _exitsOnBreakpoint = enabled;
                break;
            default:
                throw NoCapability("vmsetcap", capability);
        }
    }

    /// <summary>Asked before each instruction that is watched.</summary>
    public bool Admits(in Instruction instruction)
    {
        if (_pending == PendingOperation.Answered)
        {
            return true;
        }

        // At least one instruction executes, so that what waits behind STI or MOV SS does not wait for ever.
        if (_hasRetired && (_hasEvents || (InterruptWindowRequested && IsReadyForInterrupt)))
        {
            return Refuse(Refusal.EventIsDue, instruction);
        }

        if (State.WatchpointsMet != 0)
        {
            return Refuse(Refusal.Watchpoint, instruction);
        }

        if (_breakpoints.Length != 0 && DebuggersBreakpoints() != 0)
        {
            return Refuse(Refusal.DebuggersBreakpoint, instruction);
        }

        if (_events.NmiBlocked && (instruction.Needs & StateNeeds.NmiUnblocking) != 0)
        {
            // Also by an IRET that faults (Intel SDM volume 3, handling multiple NMIs).
            _events = _events with { NmiBlocked = false };
            NoteEvents();
        }

        return instruction.Special switch
        {
            SpecialInstruction.Pause when _exitsOnPause => Refuse(Refusal.Pause, instruction),
            SpecialInstruction.Breakpoint when _exitsOnBreakpoint => Refuse(Refusal.Breakpoint, instruction),
            _ => true,
        };
    }

    /// <summary>Told after each instruction that is watched.</summary>
    public void Retired() => _hasRetired = true;

    private bool Refuse(Refusal reason, in Instruction instruction)
    {
        _refusal = reason;
        _refused = instruction;
        return false;
    }

    /// <summary>The exit behind a step: for one that met a watchpoint, that.</summary>
    private void ShowSingleStep(ref VmExit exit)
    {
        if (!TryShowWatchpoint(ref exit))
        {
            exit.SetDebug(ExitCode.MonitorTrap, new DebugExit(DebugVector, State.Rip, SingleStepStatus, State.Dr7), State.Rip);
        }
    }

    private void DeferSingleStep()
    {
        ShowSingleStep(ref _deferredExit);
        _hasDeferredExit = true;
    }

    private bool TranslateRefusal(ref VmExit exit)
    {
        switch (_refusal)
        {
            case Refusal.EventIsDue or Refusal.Watchpoint or Refusal.TimeIsAsked:
                return false;
            case Refusal.DebuggersBreakpoint:
                exit.SetDebug(
                    ExitCode.Breakpoint, new DebugExit(DebugVector, LinearRip, DebuggersBreakpoints(), State.Dr7), State.Rip);
                return true;
            case Refusal.Pause:
                exit.Set(ExitCode.Pause, State.Rip, _refused.Length);
                Skip(_refused);
                return true;
            case Refusal.Breakpoint:
                exit.SetDebug(ExitCode.Breakpoint, new DebugExit(BreakpointVector, State.Rip, State.Dr6, State.Dr7), State.Rip);
                return true;
            default:
                ShowEmulationFailure(ref exit);
                return true;
        }
    }

    /// <summary>
    /// The executor does not have the instruction. A hypercall is an exit where the VM wants that; anything else belongs to nothing that
    /// the processor promises, and does not exist. What it does not do of an instruction that it has is a failure for somebody to see.
    /// </summary>
    private bool TranslateUnknown(ref VmExit exit)
    {
        SoftwareCpu<Unwatched> cpu = new(this, State);
        ExecutionResult result = Executor.Step(ref cpu, out Instruction instruction);
        if (result.Status != ExecutionStatus.NotExecutable || State.Refusal != ExecutionRefusal.Instruction)
        {
            // A task switch, of the instruction itself or of the delivery of what it raised, or components that IA32_XSS enables.
            ShowEmulationFailure(ref exit);
            return true;
        }

        if (instruction.Special == SpecialInstruction.Hypercall && _vm.Options.HypercallExits)
        {
            ShowHypercall(instruction, ref exit);
            return true;
        }

        const byte InvalidOpcode = 6;
        Pend(new ExecutionResult(ExecutionStatus.Fault, InvalidOpcode));
        return false;
    }

    private void ShowHypercall(in Instruction instruction, ref VmExit exit)
    {
        _refused = instruction;
        _waiting = WaitingFor.Hypercall;
        _pending = PendingOperation.Exit;
        ref readonly var registers = ref State.General;
        bool isLong = State.CodeSize == CodeSize.Bits64;
        ulong mask = isLong ? ulong.MaxValue : uint.MaxValue;
        exit.SetHypercall(
            new HypercallExit(
                registers[0] & mask,
                registers[3] & mask,
                registers[1] & mask,
                registers[2] & mask,
                registers[6] & mask,
                registers[7] & mask,
                isLong),
            State.Rip);
    }

    private void RetireHypercall()
    {
        State.General[0] = _hypercallResult;
        Skip(_refused);
    }

    /// <summary>Goes on behind an instruction that was carried out elsewhere.</summary>
    private void Skip(in Instruction instruction)
    {
        ulong next = State.Rip + (uint)instruction.Length;
        State.Rip = State.CodeSize == CodeSize.Bits64 ? next : (uint)next;
        State.Shadow = InterruptShadow.None;
    }

    private void ShowEmulationFailure(ref VmExit exit)
    {
        Span<byte> bytes = stackalloc byte[InstructionBytes.Length];
        exit.SetInstructionEmulation(new InstructionEmulationExit(bytes[..FetchBytes(bytes)], 0, 0), State.Rip);
    }

    private static VmmException NoCapability(string operation, VcpuCapability capability) =>
        new(operation, VmmError.ENOENT, capability switch
        {
            VcpuCapability.HaltExit => "in software HLT always exits: the engine knows what wakes the guest",
            VcpuCapability.EnableInvpcid => "in software the INVPCID bit of CPUID decides",
            _ => $"the software processor does not offer {capability}",
        });
}
