// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <content>What a debugger of the guest gets: steps, breakpoints and watchpoints, exact in every mode, beside those of the guest.</content>
internal sealed partial class SoftwareVcpu : IBackendDebugging
{
    private HardwareBreakpoint[] _breakpoints = [];

    /// <inheritdoc/>
    public DebugFeatures DebugFeatures =>
        DebugFeatures.SingleStep | DebugFeatures.SoftwareBreakpoints | DebugFeatures.HardwareBreakpoints | DebugFeatures.Watchpoints;

    /// <inheritdoc/>
    public DebugFeatures UserModeDebugFeatures => DebugFeatures;

    /// <inheritdoc/>
    public void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints)
    {
        _breakpoints = [.. breakpoints];
        State.Watchpoints = [.. breakpoints];
        State.WatchpointsMet = 0;
    }

    /// <summary>Shows watchpoints that were met since the last look, behind the access.</summary>
    private bool TryShowWatchpoint(ref VmExit exit)
    {
        ulong met = State.WatchpointsMet;
        State.WatchpointsMet = 0;
        if (met != 0)
        {
            exit.SetDebug(ExitCode.Breakpoint, new DebugExit(DebugVector, LinearRip, met, State.Dr7), State.Rip);
        }

        return met != 0;
    }

    /// <summary>The linear address of the next instruction.</summary>
    private ulong LinearRip => State.CodeSize == CodeSize.Bits64
        ? State.Rip
        : (uint)(State.Rip + State.Segments[(int)SegmentName.Cs].Base);

    /// <summary>Which of the debugger's breakpoints are at RIP, as DR6 would say it.</summary>
    private ulong DebuggersBreakpoints()
    {
        ulong linear = LinearRip;
        ulong met = 0;
        for (int number = 0; number < _breakpoints.Length; number++)
        {
            bool isHere = _breakpoints[number].Kind == BreakpointKind.Execution && _breakpoints[number].Address.Value == linear;
            met |= isHere ? 1UL << number : 0;
        }

        return met;
    }
}
