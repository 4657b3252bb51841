// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Delivery of interrupts and exceptions, and IRET (volume 3, interrupt and exception handling and 8086 emulation). Task gates are refused.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Delivers through the IVT or IDT. The return address is <see cref="CpuState.NextRip"/>. The caller restores on failure.</summary>
    private static bool Deliver(ref TCpu cpu, CpuState s, byte vector, InterruptKind kind, bool hasError, uint error)
    {
        if (!s.IsProtected)
        {
            return DeliverReal(ref cpu, s, vector);
        }

        bool software = kind is InterruptKind.SoftwareInterrupt or InterruptKind.SoftwareException;
        if (DeliverProtected(ref cpu, s, vector, kind, hasError, error, software))
        {
            return true;
        }

        if (!software && s.Outcome is { Status: ExecutionStatus.Fault, Vector: >= Vector.InvalidTss and <= Vector.GeneralProtection })
        {
            // Bit 0, EXT: the program did not ask for what could not be delivered (volume 3, error code).
            s.Outcome = s.Outcome with { ErrorCode = s.Outcome.ErrorCode | 1 };
        }

        return false;
    }

    private static bool DeliverProtected(ref TCpu cpu, CpuState s, byte vector, InterruptKind kind, bool hasError, uint error, bool software)
    {
        uint gateError = (uint)vector << 3 | 2;
        int entrySize = s.IsLongMode ? 16 : 8;
        uint offset = (uint)(vector * entrySize);
        if (offset + (uint)entrySize - 1 > s.Idtr.Limit)
        {
            return GeneralProtection(s, gateError);
        }

        ulong upper = 0;
        ulong at = s.IsLongMode ? s.Idtr.Base + offset : (uint)(s.Idtr.Base + offset);
        if (!ReadLinear(ref cpu, s, at, out ulong raw, isImplicit: true)
            || s.IsLongMode && !ReadLinear(ref cpu, s, at + 8, out upper, isImplicit: true))
        {
            return false;
        }

        int type = (int)(raw >> 40) & 31;
        if (s.IsLongMode ? type is not (14 or 15) : type is not (5 or 6 or 7 or 14 or 15))
        {
            return GeneralProtection(s, gateError);
        }

        if (software && (int)(raw >> 45 & 3) < s.Cpl)
        {
            return GeneralProtection(s, gateError);
        }

        if ((raw >> 47 & 1) == 0)
        {
            return Fault(s, Vector.SegmentNotPresent, gateError);
        }

        if (type == 5)
        {
            return NotExecutable(s, ExecutionRefusal.TaskSwitch);
        }

        ushort selector = (ushort)(raw >> 16);
        uint codeError = selector & NotNullMask;
        if (codeError == 0)
        {
            return GeneralProtection(s);
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong codeRaw, out ulong codeAt))
        {
            return false;
        }

        SegmentState code = Parse(codeRaw, selector);
        bool isCode = (code.Access & (SegmentState.CodeOrData | SegmentState.TypeCode)) == (SegmentState.CodeOrData | SegmentState.TypeCode);
        if (!isCode || code.Dpl > s.Cpl || s.IsLongMode && (!code.IsLong || code.IsBig))
        {
            return GeneralProtection(s, codeError);
        }

        if ((code.Access & SegmentState.PresentBit) == 0)
        {
            return Fault(s, Vector.SegmentNotPresent, codeError);
        }

        ulong target = raw & 0xFFFF | (type >= 14 ? raw >> 32 & 0xFFFF_0000 : 0) | upper << 32;
        Frame frame = new()
        {
            Size = s.IsLongMode ? 8 : type >= 14 ? 4 : 2,
            IsInterruptGate = (type & 1) == 0,
            InterruptStack = s.IsLongMode ? (int)(raw >> 32) & 7 : 0,
            Target = target,
            HasError = hasError,
            Error = error,

            // A fault that may be resumed pushes RF set, so that an instruction breakpoint does not hit again.
            PushesResume = kind == InterruptKind.HardwareException && vector != Vector.Debug,
        };
        return SetAccessed(ref cpu, s, codeAt, ref code) && EnterHandler(ref cpu, s, code, in frame, codeError);
    }

    private static bool EnterHandler(ref TCpu cpu, CpuState s, SegmentState code, in Frame frame, uint codeError)
    {
        int cpl = s.Cpl;
        bool virtual8086 = s.IsVirtual8086;
        bool conforming = (code.Access & SegmentState.TypeExpandDown) != 0;
        int level = conforming ? cpl : code.Dpl;
        SegmentRegisters old = s.Segments;
        ulong oldPointer = s.General[Rsp];
        ulong oldFlags = s.Rflags;
        bool switches = level < cpl;
        if (virtual8086 && (level != 0 || conforming))
        {
            return GeneralProtection(s, codeError);
        }

        if (virtual8086)
        {
            s.Rflags &= ~FlagBits.VirtualMode;
        }

        if (s.IsLongMode)
        {
            if (frame.InterruptStack != 0)
            {
                uint at = (uint)(frame.InterruptStack * 8 + 28);
                SegmentState tss = s.Segments[(int)SegmentName.Tr];
                if (at + 7 > tss.Limit)
                {
                    return Fault(s, Vector.InvalidTss, tss.Selector & NotNullMask);
                }

                if (!ReadLinear(ref cpu, s, tss.Base + at, out ulong pointer, isImplicit: true) || !EnterLongOrSame(s, level, cpl, pointer, ref code))
                {
                    return false;
                }
            }
            else if (switches)
            {
                if (!SwitchStack(ref cpu, s, level, ref code))
                {
                    return false;
                }
            }
            else if (!EnterLongOrSame(s, level, cpl, oldPointer, ref code))
            {
                return false;
            }

            // The frame is aligned, and always has SS and RSP (volume 3, 64-bit mode stack frame).
            s.General[Rsp] &= ~15UL;
        }
        else if (switches)
        {
            if (!SwitchStack(ref cpu, s, level, ref code))
            {
                return false;
            }
        }
        else
        {
            code.Selector = (ushort)(code.Selector & ~3 | level);
        }

        int size = frame.Size;
        if (virtual8086)
        {
            ReadOnlySpan<int> order = [(int)SegmentName.Gs, (int)SegmentName.Fs, (int)SegmentName.Ds, (int)SegmentName.Es];
            foreach (int segment in order)
            {
                if (!Push(ref cpu, s, old[segment].Selector, size))
                {
                    return NameNewStack(s);
                }

                s.Segments[segment] = new() { Access = SegmentState.UnusableBit };
            }
        }

        ulong flags = oldFlags & (PushedFlags | FlagBits.VirtualMode) | (frame.PushesResume ? FlagBits.Resume : oldFlags & FlagBits.Resume);
        if ((switches || s.IsLongMode) && (!Push(ref cpu, s, old[(int)SegmentName.Ss].Selector, size) || !Push(ref cpu, s, oldPointer, size))
            || !Push(ref cpu, s, flags, size) || !Push(ref cpu, s, old[(int)SegmentName.Cs].Selector, size) || !Push(ref cpu, s, s.NextRip, size)
            || frame.HasError && !Push(ref cpu, s, frame.Error, size))
        {
            return switches ? NameNewStack(s) : false;
        }

        s.Segments[(int)SegmentName.Cs] = code;
        ulong cleared = FlagBits.Trap | FlagBits.NestedTask | FlagBits.Resume | FlagBits.VirtualMode;
        s.Rflags &= ~(frame.IsInterruptGate ? cleared | FlagBits.Interrupt : cleared);
        return Branch(s, frame.Target, size);
    }

    /// <summary>A stack of an inner level that is too small is named by its selector (volume 2, INT n and CALL). Always false.</summary>
    private static bool NameNewStack(CpuState s)
    {
        if (s.Outcome is { Status: ExecutionStatus.Fault, Vector: Vector.StackFault, ErrorCode: 0 })
        {
            s.Outcome = s.Outcome with { ErrorCode = s.Segments[(int)SegmentName.Ss].Selector & NotNullMask };
        }

        return false;
    }

    /// <summary>A stack of the same level keeps SS; one of an inner level gets a null one.</summary>
    private static bool EnterLongOrSame(CpuState s, int level, int cpl, ulong pointer, ref SegmentState code)
    {
        if (level != cpl)
        {
            return EnterLongStack(s, level, pointer, ref code);
        }

        code.Selector = (ushort)(code.Selector & ~3 | level);
        s.Segments[(int)SegmentName.Cs] = code;
        s.General[Rsp] = pointer;
        return IsCanonical(s, pointer) || Fault(s, Vector.StackFault, 0);
    }

    private static bool DeliverReal(ref TCpu cpu, CpuState s, byte vector)
    {
        uint offset = vector * 4u;
        if (offset + 3 > s.Idtr.Limit)
        {
            return GeneralProtection(s);
        }

        if (!ReadLinear(ref cpu, s, s.Idtr.Base + offset, out uint pointer)
            || !Push(ref cpu, s, s.Rflags, 2) || !Push(ref cpu, s, s.Segments[(int)SegmentName.Cs].Selector, 2) || !Push(ref cpu, s, s.NextRip, 2))
        {
            return false;
        }

        s.Rflags &= ~(FlagBits.Interrupt | FlagBits.Trap | FlagBits.AlignmentCheck);
        ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
        cs = RealSegment((ushort)(pointer >> 16), in cs, virtual8086: false);
        return Branch(s, (ushort)pointer, 2);
    }

    private static bool InterruptReturn(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        s.KeepsResume = true;
        if (s.IsVirtual8086 && (s.Rflags & FlagBits.IoPrivilege) != FlagBits.IoPrivilege)
        {
            return ReturnInProgram(ref cpu, s, size);
        }

        bool simple = !s.IsProtected || s.IsVirtual8086;
        if (!simple && (s.Rflags & FlagBits.NestedTask) != 0)
        {
            return s.IsLongMode ? GeneralProtection(s) : NotExecutable(s, ExecutionRefusal.TaskSwitch);
        }

        ulong pointer = s.General[Rsp];
        if (!PopAt(ref cpu, s, ref pointer, out ulong offset, size) || !PopAt(ref cpu, s, ref pointer, out ulong selector, size)
            || !PopAt(ref cpu, s, ref pointer, out ulong flags, size))
        {
            return false;
        }

        if (simple)
        {
            ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
            cs = RealSegment((ushort)selector, in cs, s.IsVirtual8086);
            s.General[Rsp] = pointer;
            if (!s.IsVirtual8086)
            {
                // Real mode has no virtual interrupts to return to (volume 2, IRET).
                const ulong Kept = FlagBits.VirtualInterrupt | FlagBits.VirtualInterruptPending;
                flags = flags & ~Kept | s.Rflags & Kept;
            }

            LoadFlags(s, flags, size, s.IsVirtual8086 ? 3 : 0, mayChangeVirtual: false);
            return Branch(s, offset, size);
        }

        if ((flags & FlagBits.VirtualMode) != 0 && size == 4 && s.Cpl == 0 && !s.IsLongMode)
        {
            return ReturnToVirtual8086(ref cpu, s, pointer, offset, (ushort)selector, flags);
        }

        if (!ReadReturnCode(ref cpu, s, (ushort)selector, out SegmentState code))
        {
            return false;
        }

        int cpl = s.Cpl;
        int level = (int)selector & 3;

        // From 64-bit mode SS:RSP are always on the stack (volume 3, IRET in IA-32e mode).
        if (level != cpl || s.CodeSize == CodeSize.Bits64)
        {
            if (!PopAt(ref cpu, s, ref pointer, out ulong outerPointer, size) || !PopAt(ref cpu, s, ref pointer, out ulong outerSs, size)
                || !ReturnOutward(ref cpu, s, code, (ushort)outerSs, outerPointer, size))
            {
                return false;
            }
        }
        else
        {
            s.General[Rsp] = pointer;
            s.Segments[(int)SegmentName.Cs] = code;
        }

        LoadFlags(s, flags, size, cpl, mayChangeVirtual: false);
        return Branch(s, offset, s.CodeSize == CodeSize.Bits64 ? 8 : size);
    }

    /// <summary>What IRET may load: IF by IOPL, IOPL and the virtual bits at CPL 0 only.</summary>
    private static void LoadFlags(CpuState s, ulong value, int size, int cpl, bool mayChangeVirtual)
    {
        ulong writable = FlagBits.Status | FlagBits.Trap | FlagBits.Direction | FlagBits.NestedTask | FlagBits.Resume
            | FlagBits.AlignmentCheck | FlagBits.Identification;
        if (cpl <= ((int)(s.Rflags >> 12) & 3))
        {
            writable |= FlagBits.Interrupt;
        }

        if (cpl == 0)
        {
            writable |= FlagBits.IoPrivilege | FlagBits.VirtualInterrupt | FlagBits.VirtualInterruptPending;
            writable |= mayChangeVirtual ? FlagBits.VirtualMode : 0;
        }

        writable &= Mask(size);
        s.Rflags = s.Rflags & ~writable | value & writable | FlagBits.Fixed;
    }

    /// <summary>What a gate and an event ask of the handler's frame.</summary>
    private struct Frame
    {
        internal ulong Target;
        internal uint Error;
        internal int Size;
        internal int InterruptStack;
        internal bool IsInterruptGate;
        internal bool HasError;
        internal bool PushesResume;
    }
}
