// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Software;

/// <content>What a debugger of the guest gets: steps and breakpoints on execution, exact in every mode, beside those of the guest.</content>
internal sealed partial class SoftwareVcpu : IBackendDebugging
{
    private HardwareBreakpoint[] _breakpoints = [];

    /// <inheritdoc/>
    public DebugFeatures DebugFeatures =>
        DebugFeatures.SingleStep | DebugFeatures.SoftwareBreakpoints | DebugFeatures.HardwareBreakpoints;

    /// <inheritdoc/>
    public DebugFeatures UserModeDebugFeatures => DebugFeatures;

    /// <inheritdoc/>
    public void SetHardwareBreakpoints(ReadOnlySpan<HardwareBreakpoint> breakpoints)
    {
        foreach (HardwareBreakpoint breakpoint in breakpoints)
        {
            if (breakpoint.Kind != BreakpointKind.Execution)
            {
                throw new VmmException(
                    "SetHardwareBreakpoints", VmmError.ENOENT, $"the software processor does not watch data: {breakpoint}");
            }
        }

        _breakpoints = [.. breakpoints];
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
            met |= _breakpoints[number].Address.Value == linear ? 1UL << number : 0;
        }

        return met;
    }
}
