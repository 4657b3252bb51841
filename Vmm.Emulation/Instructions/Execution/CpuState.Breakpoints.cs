// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Emulation.Instructions.Execution;

/// <content>Breakpoints: the guest's, in DR0 to DR3 and DR7, and those of whoever drives the CPU.</content>
public sealed partial class CpuState
{
    private const ulong BreakpointEnables = 0xff;
    private const int BreakpointCount = 4;

    /// <summary>
    /// Data that whoever drives the CPU wants to know of; a supervised binding's accesses are compared with it. Breakpoints on execution
    /// in it are not looked at.
    /// </summary>
    public ImmutableArray<HardwareBreakpoint> Watchpoints { get; set; } = [];

    /// <summary>
    /// Which of <see cref="Watchpoints"/> were touched, bit 0 for the first, by an instruction that has completed or by the delivery of
    /// an event. Whoever drives the CPU clears it.
    /// </summary>
    public ulong WatchpointsMet { get; set; }

    /// <summary>What the executing instruction, or a delivery, has touched of <see cref="Watchpoints"/>.</summary>
    internal ulong WatchpointsTouched;

    /// <summary>The guest's breakpoints on data and ports that are met and not reported yet, as in DR6.</summary>
    internal ulong BreakpointsMet;

    /// <summary>A repeated instruction has elements left, and nothing came between them.</summary>
    internal bool IsRepeating;

    /// <summary>
    /// The run ends behind this instruction: it has enabled breakpoints, which who bound the executor has to know, or repeated ones have
    /// done enough.
    /// </summary>
    internal bool EndsRun;

    /// <summary>Whether the guest has enabled breakpoints.</summary>
    internal bool HasBreakpoints => (Dr7 & BreakpointEnables) != 0;

    /// <summary>Whether accesses have to be looked at.</summary>
    internal bool WatchesAccesses => HasBreakpoints || !Watchpoints.IsEmpty;

    /// <summary>Whether something was met since the instruction began.</summary>
    internal bool HasMetAny => (BreakpointsMet | WatchpointsTouched) != 0;

    /// <summary>Compares an access to data with all breakpoints on data.</summary>
    internal void NoteAccess(ulong linear, int length, bool write)
    {
        for (int number = 0; number < BreakpointCount; number++)
        {
            BreakpointType type = TypeOf(number);
            if (type == BreakpointType.Access || (type == BreakpointType.Write && write))
            {
                BreakpointsMet |= Overlap(number, linear, length);
            }
        }

        for (int number = 0; number < Watchpoints.Length; number++)
        {
            HardwareBreakpoint watched = Watchpoints[number];
            bool isMeant = watched.Kind == BreakpointKind.Access || (watched.Kind == BreakpointKind.Write && write);
            if (isMeant && Overlaps(watched.Address.Value, watched.Length, linear, length))
            {
                WatchpointsTouched |= 1UL << number;
            }
        }
    }

    /// <summary>Compares an access to ports with the guest's breakpoints on ports, which CR4.DE makes possible.</summary>
    internal void NotePort(ushort port, int length)
    {
        const ulong DebugExtensions = 1 << 3;
        for (int number = 0; number < BreakpointCount && (Cr4 & DebugExtensions) != 0; number++)
        {
            if (TypeOf(number) == BreakpointType.Port)
            {
                BreakpointsMet |= Overlap(number, port, length);
            }
        }
    }

    /// <summary>Which of the guest's breakpoints on execution are at a linear address, as in DR6.</summary>
    internal ulong ExecutionBreakpointsAt(ulong linear)
    {
        ulong met = 0;
        for (int number = 0; number < BreakpointCount; number++)
        {
            // Only with a length of one byte (volume 3, debug control register).
            bool isHere = TypeOf(number) == BreakpointType.Execution && LengthOf(number) == 1 && DebugAddresses[number] == linear;
            met |= isHere ? 1UL << number : 0;
        }

        return met;
    }

    private BreakpointType TypeOf(int number) => (Dr7 >> (number * 2) & 3) == 0
        ? BreakpointType.None
        : BreakpointType.Execution + (int)(Dr7 >> (16 + number * 4) & 3);

    private int LengthOf(int number) => (Dr7 >> (18 + number * 4) & 3) switch
    {
        0 => 1,
        1 => 2,
        2 => 8,
        _ => 4,
    };

    /// <summary>The low bits of the address do not count (volume 3, breakpoint field recognition).</summary>
    private ulong Overlap(int number, ulong first, int length)
    {
        int watched = LengthOf(number);
        return Overlaps(DebugAddresses[number] & ~(ulong)(watched - 1), watched, first, length) ? 1UL << number : 0;
    }

    private static bool Overlaps(ulong watched, int watchedLength, ulong first, int length) =>
        unchecked(first - watched) < (ulong)watchedLength || unchecked(watched - first) < (ulong)length;

    /// <summary>What an enabled breakpoint waits for: the R/W field, and 0 for one that is not enabled.</summary>
    private enum BreakpointType
    {
        None = 0,
        Execution,
        Write,
        Port,
        Access,
    }
}
