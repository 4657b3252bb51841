// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.SecondChance;

namespace Vmm.Engine;

/// <content>
/// What a debugger has of the vCPU: the hypervisor's own means where they work, and for single steps that it does not honour the one
/// executor.
/// </content>
public sealed partial class VirtualCpu : IVcpuDebugging
{
    private bool _singleSteps;
    private bool _stopsAtInt3;
    private bool _hasHardwareBreakpoints;

    /// <inheritdoc/>
    public DebugFeatures DebugFeatures => Features(user: false);

    /// <inheritdoc/>
    public DebugFeatures UserModeDebugFeatures => Features(user: true);

    /// <inheritdoc/>
    public void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints)
    {
        TakeOwnership();
        try
        {
            IBackendDebugging? debugging = Backend as IBackendDebugging;
            Check(breakpoints, debugging?.DebugFeatures ?? DebugFeatures.None);
            debugging?.SetHardwareBreakpoints(breakpoints);
            _hasHardwareBreakpoints = !breakpoints.IsEmpty;
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    /// <summary>Whether a debugger waits for something that only single instructions show, or only the hypervisor sees.</summary>
    private bool IsDebugged => _singleSteps || _stopsAtInt3 || _hasHardwareBreakpoints;

    private DebugFeatures Features(bool user)
    {
        TakeOwnership();
        try
        {
            IBackendVcpu backend = Backend;
            DebugFeatures features = backend is IBackendDebugging debugging
                ? user ? debugging.UserModeDebugFeatures : debugging.DebugFeatures
                : (Has(backend, VcpuCapability.MonitorTrapExit) ? DebugFeatures.SingleStep : DebugFeatures.None)
                    | (Has(backend, VcpuCapability.BreakpointExit) ? DebugFeatures.SoftwareBreakpoints : DebugFeatures.None);

            // The executor steps wherever the hypervisor does not; an INT3 that it executes in kernel mode is an exit too.
            return !_machine.Options.SecondChance ? features
                : features | DebugFeatures.SingleStep | (user ? DebugFeatures.None : DebugFeatures.SoftwareBreakpoints);
        }
        finally
        {
            GiveOwnershipBack();
        }
    }

    private static bool Has(IBackendVcpu backend, VcpuCapability capability)
    {
        try
        {
            backend.GetCapability(capability);
            return true;
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.ENOENT)
        {
            return false;
        }
    }

    private static void Check(ReadOnlySpan<HardwareBreakpoint> breakpoints, DebugFeatures honoured)
    {
        const string Operation = "SetHardwareBreakpoints";
        if (breakpoints.Length > IVcpuDebugging.MaximumHardwareBreakpoints)
        {
            EngineThrow.Refuse(
                Operation, VmmError.ENOSPC, $"a processor has {IVcpuDebugging.MaximumHardwareBreakpoints} breakpoints, not {breakpoints.Length}");
        }

        foreach (HardwareBreakpoint breakpoint in breakpoints)
        {
            bool isExecution = breakpoint.Kind == BreakpointKind.Execution;
            if (!Enum.IsDefined(breakpoint.Kind)
                || breakpoint.Length is not (1 or 2 or 4 or 8)
                || (isExecution && breakpoint.Length != 1)
                || (breakpoint.Address.Value & (breakpoint.Length - 1u)) != 0)
            {
                EngineThrow.Invalid(Operation, $"a processor does not watch {breakpoint}");
            }

            DebugFeatures needed = isExecution ? DebugFeatures.HardwareBreakpoints : DebugFeatures.Watchpoints;
            if ((honoured & needed) == 0)
            {
                EngineThrow.Refuse(Operation, VmmError.ENOENT, $"the hypervisor of this host does not honour {needed}");
            }
        }
    }

    /// <summary>Turns the engine's part of a capability on or off.</summary>
    private void NoteCapability(VcpuCapability capability, bool enabled)
    {
        if (capability == VcpuCapability.MonitorTrapExit)
        {
            _singleSteps = enabled;
        }
        else if (capability == VcpuCapability.BreakpointExit)
        {
            _stopsAtInt3 = enabled;
        }
    }

    /// <summary>
    /// Executes the next instruction in the engine when it is to be stepped and the hypervisor does not honour that in the guest's
    /// present mode.
    /// </summary>
    /// <returns>Whether the step was made here; the exit then shows it.</returns>
    private bool TryStepInEngine(IBackendVcpu backend)
    {
        if (!_machine.Options.SecondChance
            || Pending != PendingOperation.None
            || backend is not IBackendDebugging debugging)
        {
            return false;
        }

        const ulong ProtectionEnable = 1;
        const ulong VirtualMode = 1 << 17;
        bool isUser = (backend.GetRegister(RegisterName.Cr0) & ProtectionEnable) != 0
            && (backend.GetSegmentDescriptor(RegisterName.Ss).Access.Dpl == 3
                || (backend.GetRegister(RegisterName.Rflags) & VirtualMode) != 0);
        if (((isUser ? debugging.UserModeDebugFeatures : debugging.DebugFeatures) & DebugFeatures.SingleStep) != 0)
        {
            return false;
        }

        _exit.Set(ExitCode.Bogus, backend.GetRegister(RegisterName.Rip));
        EmulatedVcpu emulated = LoadEmulated(backend);
        Span<byte> bytes = stackalloc byte[InstructionBytes.Length];
        _failure = new InstructionEmulationExit(emulated.FetchBytes(bytes), 0, 0);
        BackendEvents events = backend.Events;
        Next next = events.Injected.IsValid ? DeliverFirst(backend, emulated, events) : Emulate(backend, emulated, limit: 1);
        if (next == Next.Continue)
        {
            ShowStep(backend.GetRegister(RegisterName.Rip));
        }

        return true;
    }

    private void ShowStep(ulong rip)
    {
        const ulong SingleStep = 1 << 14;
        _exit.SetDebug(ExitCode.MonitorTrap, new DebugExit(DebugVector, rip, SingleStep, 0), rip);
        _machine.SuspendForDebug(this);
    }

    /// <summary>What the engine does not execute because a debugger wants to see it first.</summary>
    private bool StopsBeforeInt3(EmulatedVcpu emulated)
    {
        if (!_stopsAtInt3 || emulated.Refusal != EmulationRefusal.Breakpoint)
        {
            return false;
        }

        const uint BreakpointVector = 3;
        emulated.Accesses.Reset();
        _exit.SetDebug(ExitCode.Breakpoint, new DebugExit(BreakpointVector, emulated.State.Rip, 0, 0), emulated.State.Rip);
        return true;
    }

    /// <summary>Whether an INT3 is for a debugger and not for the guest.</summary>
    internal bool StopsAtInt3 => _stopsAtInt3;
}
