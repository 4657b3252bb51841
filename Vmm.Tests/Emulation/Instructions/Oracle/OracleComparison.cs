// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Execution;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;
using Operation = Vmm.Emulation.Instructions.Decoding.Operation;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Compares where the executor and KVM ended.</summary>
internal static class OracleComparison
{
    /// <summary>The first difference, or null.</summary>
    /// <param name="guest">KVM's end.</param>
    /// <param name="state">The executor's registers.</param>
    /// <param name="memory">The executor's memory.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="rcx">RCX before it.</param>
    /// <param name="operand">The linear address of its operand in memory.</param>
    /// <param name="frame">Where a frame of an exception is if not on top of the stack.</param>
    /// <param name="undefined">Flags that are undefined beside those of the instruction's page.</param>
    internal static OracleDifference? Difference(
        OracleGuest guest, CpuState state, byte[] memory, in Instruction instruction, ulong rcx, ulong operand, ulong? frame = null,
        ulong undefined = 0)
    {
        Span<ulong> theirs = stackalloc ulong[16];
        KvmConversion.General(in guest.Registers, theirs);
        ulong count = UndefinedFlags.ShiftCount(in instruction, rcx);
        bool undefinedResult = UndefinedFlags.HasUndefinedResult(in instruction, count);
        ulong undefinedFlags = UndefinedFlags.Of(in instruction, count) | undefined;
        if (guest.Registers.Rip != state.Rip)
        {
            return Text(OracleAspect.Rip, "RIP", guest.Registers.Rip, state.Rip);
        }

        for (int register = 0; register < 16; register++)
        {
            if (theirs[register] != state.General[register] && !undefinedResult)
            {
                return Text(OracleAspect.Register, $"register {register}", theirs[register], state.General[register]);
            }
        }

        // A host that runs user mode only, and interprets handlers, enters them with AC clear; gates leave AC as it is (volume 3,
        // flag usage by handler procedures). The frame in memory shows what it was.
        if (state.IsProtected && OracleEnd.Vector(state.Rip) >= 0)
        {
            undefinedFlags |= 1 << 18;
        }

        if (((guest.Registers.Rflags ^ state.Rflags) & ~undefinedFlags) != 0)
        {
            return Text(OracleAspect.Flags, "RFLAGS", guest.Registers.Rflags & ~undefinedFlags, state.Rflags & ~undefinedFlags);
        }

        // Which byte of an area the processor touches first is its own affair.
        ulong distance = guest.SystemRegisters.Cr2 - state.Cr2 + 0xB00;
        bool isArea = instruction.Operation is Operation.Fxsave or Operation.Fxrstor or Operation.Fnsave or Operation.Frstor or Operation.Fnstenv
            or Operation.Fldenv or >= Operation.Xsave and <= Operation.Xrstors;
        if (isArea ? distance > 2 * 0xB00 : guest.SystemRegisters.Cr2 != state.Cr2)
        {
            return Text(OracleAspect.Cr2, "CR2", guest.SystemRegisters.Cr2, state.Cr2);
        }

        return SystemDifference(guest, state)
            ?? MemoryDifference(guest, state, memory, undefinedResult ? operand : ulong.MaxValue, undefinedFlags & OracleState.StatusFlags, frame)
            ?? (ExtendedComparison.Difference(guest.Extended, state.Extended.Image, HasEnteredMmx(state, in instruction), Ulps(instruction.Operation))
                is { } vectors ? new OracleDifference(OracleAspect.Vectors, vectors) : null);
    }

    /// <summary>
    /// A processor may have switched to MMX (TOP 0, all registers in use) when the store of an MMX register faults, or a conversion
    /// to one.
    /// </summary>
    private static bool HasEnteredMmx(CpuState state, in Instruction instruction)
        => OracleEnd.Vector(state.Rip) >= 0 && instruction.Operation is Operation.Movd or Operation.Movq or Operation.Movntq or Operation.Maskmovq
            or Operation.Cvtps2pi or Operation.Cvttps2pi or Operation.Cvtpd2pi or Operation.Cvttpd2pi or Operation.Cvtpi2ps or Operation.Cvtpi2pd;

    /// <summary>
    /// Transcendental results are less than one unit from the exact one when they are rounded to nearest (volume 1, section 8.3.10), so that two
    /// processors' may be two apart, and rounded differently.
    /// </summary>
    internal static int Ulps(Operation operation) => operation is Operation.Fsin or Operation.Fcos or Operation.Fsincos or Operation.Fptan
        or Operation.Fpatan or Operation.F2xm1 or Operation.Fyl2x or Operation.Fyl2xp1 ? 2 : 0;

    private static OracleDifference? SystemDifference(OracleGuest guest, CpuState state)
    {
        ref readonly Vmm.Kvm.Interop.KvmSregs theirs = ref guest.SystemRegisters;
        ReadOnlySpan<(string Name, ulong Theirs, ulong Ours)> pairs =
        [
            ("CR0", theirs.Cr0, state.Cr0), ("CR3", theirs.Cr3, state.Cr3), ("CR4", theirs.Cr4, state.Cr4),
            ("CR8", theirs.Cr8, state.Cr8), ("EFER", theirs.Efer, state.Efer), ("GDT base", theirs.Gdt.Base, state.Gdtr.Base),
            ("GDT limit", theirs.Gdt.Limit, state.Gdtr.Limit), ("IDT base", theirs.Idt.Base, state.Idtr.Base), ("IDT limit", theirs.Idt.Limit, state.Idtr.Limit),
        ];
        foreach ((string name, ulong expected, ulong actual) in pairs)
        {
            if (expected != actual)
            {
                return Text(OracleAspect.System, name, expected, actual);
            }
        }

        SegmentState[] segments = KvmConversion.Segments(in theirs);
        for (int segment = 0; segment < segments.Length; segment++)
        {
            if (SegmentDifference((SegmentName)segment, segments[segment], state.Segments[segment], state.IsLongMode) is { } difference)
            {
                return difference;
            }
        }

        return null;
    }

    /// <summary>Of a segment that is not usable only the selector means something, and the base for FS and GS.</summary>
    private static OracleDifference? SegmentDifference(SegmentName name, in SegmentState theirs, in SegmentState ours, bool isLong)
    {
        // Delivery to an inner level in long mode loads SS with a null selector, of which only the DPL counts (volume 3, stack switching in IA-32e mode).
        if (name == SegmentName.Ss && isLong && (ours.Selector | theirs.Selector) < 4)
        {
            return theirs.Selector != ours.Selector ? Text(OracleAspect.Segment, "SS selector", theirs.Selector, ours.Selector)
                : theirs.Dpl != ours.Dpl ? Text(OracleAspect.Segment, "SS DPL", (ulong)theirs.Dpl, (ulong)ours.Dpl) : null;
        }

        bool hasBase = name is SegmentName.Fs or SegmentName.Gs || !ours.IsUnusable;
        if (theirs.Selector != ours.Selector)
        {
            return Text(OracleAspect.Segment, $"{name} selector", theirs.Selector, ours.Selector);
        }

        if (hasBase && theirs.Base != ours.Base)
        {
            return Text(OracleAspect.Segment, $"{name} base", theirs.Base, ours.Base);
        }

        if (ours.IsUnusable != theirs.IsUnusable)
        {
            return Text(OracleAspect.Segment, $"{name} unusable", theirs.Access, ours.Access);
        }

        if (ours.IsUnusable)
        {
            return null;
        }

        return theirs.Limit != ours.Limit ? Text(OracleAspect.Segment, $"{name} limit", theirs.Limit, ours.Limit)
            : theirs.Access != ours.Access ? Text(OracleAspect.Segment, $"{name} access", theirs.Access, ours.Access) : null;
    }

    /// <summary>
    /// Undefined flags may have got into the frame on a handler's stack; <paramref name="undefined"/> is where an undefined result was written.
    /// </summary>
    private static OracleDifference? MemoryDifference(
        OracleGuest guest, CpuState state, ReadOnlySpan<byte> ours, ulong undefined, ulong undefinedFlags, ulong? frame)
    {
        const int FrameLength = 64;
        ReadOnlySpan<byte> theirs = guest.Memory;
        ulong stack = frame ?? state.Segments[(int)SegmentName.Ss].Base + state.General[4];
        int from = 0;
        while (from < ours.Length)
        {
            int at = from + theirs[from..].CommonPrefixLength(ours[from..]);
            if (at == ours.Length)
            {
                return null;
            }

            bool isFlags = OracleEnd.Vector(state.Rip) >= 0 && (ulong)at - stack < FrameLength
                && ((theirs[at] ^ ours[at]) & ~(byte)(undefinedFlags >> (int)(((ulong)at - stack) & 1) * 8)) == 0;
            if (!isFlags && (ulong)at - undefined >= sizeof(ushort))
            {
                int word = at & ~7;
                return Text(OracleAspect.Memory, string.Create(CultureInfo.InvariantCulture, $"memory at {word:X}"), BitConverter.ToUInt64(theirs[word..]), BitConverter.ToUInt64(ours[word..]));
            }

            from = at + 1;
        }

        return null;
    }

    private static OracleDifference Text(OracleAspect aspect, string what, ulong theirs, ulong ours)
        => new(aspect, string.Create(CultureInfo.InvariantCulture, $"{what} is {theirs:X}, ours {ours:X}"));
}
