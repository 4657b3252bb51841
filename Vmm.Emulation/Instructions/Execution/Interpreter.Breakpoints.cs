// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Breakpoints, for supervised bindings only: others are compiled without. While there are any, instructions are executed one at a time.
/// </summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Data are accessed, or will be unless the instruction faults.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accessed(CpuState s, ulong linear, int length, bool write)
    {
        if (TCpu.IsSupervised && s.WatchesAccesses)
        {
            s.NoteAccess(linear, length, write);
        }
    }

    /// <summary>
    /// An instruction begins. What MOV SS has met waits for the end of the next instruction (volume 3, interrupts when switching stacks).
    /// </summary>
    private static void BeginWatching(CpuState s)
    {
        s.WatchpointsTouched = 0;
        s.IsRepeating = false;
        if (s.Shadow != InterruptShadow.MovSs)
        {
            s.BreakpointsMet = 0;
        }
    }

    /// <summary>An instruction has not completed. One that waits for an answer is executed again, and what MOV SS has met waits on.</summary>
    private static void AbandonWatching(CpuState s)
    {
        s.WatchpointsTouched = 0;
        if (s.Outcome.Status == ExecutionStatus.Fault || s.Shadow != InterruptShadow.MovSs)
        {
            s.BreakpointsMet = 0;
        }
    }

    private static void EndWatching(CpuState s)
    {
        s.WatchpointsMet |= s.WatchpointsTouched;
        s.WatchpointsTouched = 0;
    }

    /// <summary>
    /// A trap that the delivery of an event has left, or a breakpoint on execution here, which comes before the instruction is fetched
    /// (volume 3, priority among concurrent events). Neither directly behind MOV SS.
    /// </summary>
    private static bool MeetsBreakpoint(CpuState s)
    {
        if (s.Shadow == InterruptShadow.MovSs)
        {
            return false;
        }

        ulong met = s.BreakpointsMet;
        if (met == 0 && !s.IsRepeating && (s.ControlFlags & FlagBits.Resume) == 0)
        {
            met = s.ExecutionBreakpointsAt(s.Rip + s.CodeBase & s.CodeMask);
        }

        return met != 0 && RaiseDebug(s, met);
    }

    /// <summary>The outcome is #DB, and DR6 says why. Always true.</summary>
    private static bool RaiseDebug(CpuState s, ulong status)
    {
        s.Dr6 |= status;
        s.BreakpointsMet = 0;
        s.Outcome = ExecutionResult.Fault(Vector.Debug);
        return true;
    }
}
