// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Far JMP, CALL and RET, with call gates (volume 3, transferring program control between code segments). Task switches are refused.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Transfers that change several registers: they work on the state itself, and it is put back if they fail.</summary>
    private static bool Far(ref TCpu cpu, CpuState s, in Instruction i)
    {
        CpuSnapshot saved = new(s);
        bool completed = i.Operation switch
        {
            Operation.JmpFar or Operation.CallFar => JumpFar(ref cpu, s, in i),
            Operation.Retf => ReturnFar(ref cpu, s, in i),
            Operation.Iret => InterruptReturn(ref cpu, s, in i),
            Operation.Int => SoftwareInterrupt(ref cpu, s, (byte)i.Immediate),
            Operation.Int3 => Deliver(ref cpu, s, Vector.Breakpoint, InterruptKind.SoftwareException, hasError: false, 0),
            Operation.Int1 => Deliver(ref cpu, s, Vector.Debug, InterruptKind.PrivilegedException, hasError: false, 0),
            _ => (s.Rflags & FlagBits.Overflow) == 0
                || Deliver(ref cpu, s, Vector.OverflowTrap, InterruptKind.SoftwareException, hasError: false, 0),
        };
        if (!completed)
        {
            saved.Restore(s);
        }

        return completed;
    }

    private static bool JumpFar(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong offset;
        ushort selector;
        int size = i.OperandSize;
        if (i.Pattern == Pattern.Ap)
        {
            offset = (uint)i.Immediate;
            selector = (ushort)(i.Immediate >> 32);
        }
        else if (!AddressUnaligned(s, in i, size + 2, write: false, out ulong linear)
            || !ReadSized(ref cpu, s, linear, size, out offset) || !ReadLinear(ref cpu, s, linear + (uint)size, out selector))
        {
            return false;
        }

        bool isCall = i.Operation == Operation.CallFar;
        if (!s.IsProtected || s.IsVirtual8086)
        {
            if (isCall && (!Push(ref cpu, s, s.Segments[(int)SegmentName.Cs].Selector, size) || !Push(ref cpu, s, s.NextRip, size)))
            {
                return false;
            }

            ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
            cs = RealSegment(selector, in cs, s.IsVirtual8086);
            s.NextRip = offset;
            return offset <= cs.Limit || GeneralProtection(s);
        }

        if ((selector & NotNullMask) == 0)
        {
            return GeneralProtection(s);
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong raw, out ulong at))
        {
            return false;
        }

        SegmentState target = Parse(raw, selector);
        if ((target.Access & SegmentState.CodeOrData) == 0)
        {
            return ThroughGate(ref cpu, s, selector, raw, at, isCall);
        }

        int rpl = selector & 3;
        if (!CheckCode(s, ref target, selector & NotNullMask, rpl, mayGainPrivilege: false) || !SetAccessed(ref cpu, s, at, ref target))
        {
            return false;
        }

        // The return address belongs to the old code segment, its size to the instruction.
        if (isCall && (!Push(ref cpu, s, s.Segments[(int)SegmentName.Cs].Selector, size) || !Push(ref cpu, s, s.NextRip, size)))
        {
            return false;
        }

        target.Selector = (ushort)(selector & ~3 | s.Cpl);
        s.Segments[(int)SegmentName.Cs] = target;
        return Branch(s, offset, s.CodeSize == CodeSize.Bits64 ? 8 : size);
    }

    /// <summary>Type, privilege, L with D, presence of a code segment that CS is to be loaded with.</summary>
    private static bool CheckCode(CpuState s, ref SegmentState target, uint error, int rpl, bool mayGainPrivilege)
    {
        int cpl = s.Cpl;
        bool code = (target.Access & (SegmentState.CodeOrData | SegmentState.TypeCode)) == (SegmentState.CodeOrData | SegmentState.TypeCode);
        bool conforming = (target.Access & SegmentState.TypeExpandDown) != 0;
        if (!code || (conforming || mayGainPrivilege ? target.Dpl > cpl : rpl > cpl || target.Dpl != cpl))
        {
            return GeneralProtection(s, error);
        }

        if (s.IsLongMode && target.IsLong && target.IsBig)
        {
            return GeneralProtection(s, error);
        }

        return (target.Access & SegmentState.PresentBit) != 0 || Fault(s, Vector.SegmentNotPresent, error);
    }

    private static bool ThroughGate(ref TCpu cpu, CpuState s, ushort selector, ulong raw, ulong at, bool isCall)
    {
        uint error = selector & NotNullMask;
        SegmentState gate = Parse(raw, selector);
        int type = gate.Type;
        int cpl = s.Cpl;
        if (s.IsLongMode ? type != 12 : type is not (1 or 3 or 4 or 5 or 9 or 11 or 12))
        {
            return GeneralProtection(s, error);
        }

        if (type is not (4 or 12))
        {
            return NotExecutable(s, ExecutionRefusal.TaskSwitch);
        }

        if (gate.Dpl < cpl || gate.Dpl < (selector & 3))
        {
            return GeneralProtection(s, error);
        }

        if ((gate.Access & SegmentState.PresentBit) == 0)
        {
            return Fault(s, Vector.SegmentNotPresent, error);
        }

        ulong offset = raw & 0xFFFF | (type == 12 ? raw >> 32 & 0xFFFF_0000 : 0);
        int size = s.IsLongMode ? 8 : type == 12 ? 4 : 2;
        int parameters = s.IsLongMode ? 0 : (int)(raw >> 32) & 31;
        if (s.IsLongMode)
        {
            if (!ReadLinear(ref cpu, s, at + 8, out ulong upper, isImplicit: true))
            {
                return false;
            }

            if ((upper >> 40 & 0x1F) != 0)
            {
                return GeneralProtection(s, error);
            }

            offset |= upper << 32;
        }

        ushort codeSelector = (ushort)(raw >> 16);
        uint codeError = codeSelector & NotNullMask;
        if (codeError == 0)
        {
            return GeneralProtection(s);
        }

        if (!ReadDescriptor(ref cpu, s, codeSelector, Vector.GeneralProtection, out ulong codeRaw, out ulong codeAt))
        {
            return false;
        }

        SegmentState code = Parse(codeRaw, codeSelector);
        bool conforming = (code.Access & SegmentState.TypeExpandDown) != 0;
        if (s.IsLongMode && (!code.IsLong || code.IsBig))
        {
            return GeneralProtection(s, codeError);
        }

        // The gate's own RPL does not count: a target of equal privilege, or for CALL of more.
        if (!CheckCode(s, ref code, codeError, rpl: 0, mayGainPrivilege: isCall) || !SetAccessed(ref cpu, s, codeAt, ref code))
        {
            return false;
        }

        ushort oldCs = s.Segments[(int)SegmentName.Cs].Selector;
        bool switches = isCall && !conforming && code.Dpl < cpl;
        if (switches)
        {
            SegmentState oldSs = s.Segments[(int)SegmentName.Ss];
            ulong oldPointer = s.General[Rsp];
            if (!ReadParameters(ref cpu, s, parameters, size, out Span<ulong> values) || !SwitchStack(ref cpu, s, code.Dpl, ref code))
            {
                return false;
            }

            if (!Push(ref cpu, s, oldSs.Selector, size) || !Push(ref cpu, s, oldPointer, size))
            {
                return NameNewStack(s);
            }

            for (int n = parameters - 1; n >= 0; n--)
            {
                if (!Push(ref cpu, s, values[n], size))
                {
                    return NameNewStack(s);
                }
            }
        }
        else
        {
            code.Selector = (ushort)(codeSelector & ~3 | cpl);
            if (s.IsLongMode)
            {
                s.Segments[(int)SegmentName.Cs] = code;
            }
        }

        if (isCall && (!Push(ref cpu, s, oldCs, size) || !Push(ref cpu, s, s.NextRip, size)))
        {
            return switches ? NameNewStack(s) : false;
        }

        s.Segments[(int)SegmentName.Cs] = code;
        return Branch(s, offset, size);
    }

    private static bool ReadParameters(ref TCpu cpu, CpuState s, int count, int size, out Span<ulong> values)
    {
        values = count == 0 ? [] : new ulong[count];
        ulong pointer = s.General[Rsp];
        for (int n = 0; n < count; n++)
        {
            if (!PopAt(ref cpu, s, ref pointer, out values[n], size))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Loads SS and RSP for an inner privilege level from the TSS, and CS so that accesses use that level.</summary>
    private static bool SwitchStack(ref TCpu cpu, CpuState s, int level, ref SegmentState code)
    {
        SegmentState tss = s.Segments[(int)SegmentName.Tr];
        uint tssError = tss.Selector & NotNullMask;
        if (s.IsLongMode)
        {
            uint at = (uint)(level * 8 + 4);
            if (at + 7 > tss.Limit)
            {
                return Fault(s, Vector.InvalidTss, tssError);
            }

            if (!ReadLinear(ref cpu, s, tss.Base + at, out ulong pointer, isImplicit: true))
            {
                return false;
            }

            return EnterLongStack(s, level, pointer, ref code);
        }

        bool is32 = tss.Type is 9 or 11;
        uint offset = is32 ? (uint)(level * 8 + 4) : (uint)(level * 4 + 2);
        if (offset + (is32 ? 5 : 3) > tss.Limit)
        {
            return Fault(s, Vector.InvalidTss, tssError);
        }

        if (!ReadSized(ref cpu, s, tss.Base + offset, is32 ? 4 : 2, out ulong newPointer, isImplicit: true)
            || !ReadLinear(ref cpu, s, tss.Base + offset + (is32 ? 4u : 2u), out ushort selector, isImplicit: true))
        {
            return false;
        }

        uint error = selector & NotNullMask;
        if (error == 0)
        {
            return Fault(s, Vector.InvalidTss, 0);
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.InvalidTss, out ulong raw, out ulong linear))
        {
            return false;
        }

        SegmentState stack = Parse(raw, selector);
        const uint Kind = SegmentState.CodeOrData | SegmentState.TypeCode | SegmentState.TypeWritable;
        if ((selector & 3) != level || stack.Dpl != level || (stack.Access & Kind) != (SegmentState.CodeOrData | SegmentState.TypeWritable))
        {
            return Fault(s, Vector.InvalidTss, error);
        }

        if ((stack.Access & SegmentState.PresentBit) == 0)
        {
            return Fault(s, Vector.StackFault, error);
        }

        if (!SetAccessed(ref cpu, s, linear, ref stack))
        {
            return false;
        }

        code.Selector = (ushort)(code.Selector & ~3 | level);
        s.Segments[(int)SegmentName.Ss] = stack;
        s.Segments[(int)SegmentName.Cs] = code;
        s.General[Rsp] = stack.IsBig ? (uint)newPointer : s.General[Rsp] & ~0xFFFFUL | (ushort)newPointer;
        return true;
    }

    /// <summary>In long mode an inner stack has a null SS, whose RPL and DPL are the new level (volume 3, stack switching in IA-32e mode).</summary>
    private static bool EnterLongStack(CpuState s, int level, ulong pointer, ref SegmentState code)
    {
        code.Selector = (ushort)(code.Selector & ~3 | level);
        s.Segments[(int)SegmentName.Cs] = code;
        s.Segments[(int)SegmentName.Ss] = new() { Selector = (ushort)level, Access = SegmentState.UnusableBit | (uint)level << 5 };
        s.General[Rsp] = pointer;
        return IsCanonical(s, pointer) || Fault(s, Vector.StackFault, 0);
    }

    private static bool ReturnFar(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        ulong release = i.Pattern == Pattern.I ? i.Immediate : 0;
        ulong pointer = s.General[Rsp];
        if (!PopAt(ref cpu, s, ref pointer, out ulong offset, size) || !PopAt(ref cpu, s, ref pointer, out ulong selector, size))
        {
            return false;
        }

        if (!s.IsProtected || s.IsVirtual8086)
        {
            ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
            cs = RealSegment((ushort)selector, in cs, s.IsVirtual8086);
            s.General[Rsp] = Advance(s, pointer, release);
            s.NextRip = offset;
            return offset <= cs.Limit || GeneralProtection(s);
        }

        if (!ReadReturnCode(ref cpu, s, (ushort)selector, out SegmentState code))
        {
            return false;
        }

        int rpl = (int)selector & 3;
        if (rpl == s.Cpl)
        {
            s.General[Rsp] = Advance(s, pointer, release);
            s.Segments[(int)SegmentName.Cs] = code;
            return Branch(s, offset, s.CodeSize == CodeSize.Bits64 ? 8 : size);
        }

        pointer = Advance(s, pointer, release);
        if (!PopAt(ref cpu, s, ref pointer, out ulong outerPointer, size) || !PopAt(ref cpu, s, ref pointer, out ulong outerSs, size)
            || !ReturnOutward(ref cpu, s, code, (ushort)outerSs, outerPointer, size))
        {
            return false;
        }

        s.General[Rsp] = Advance(s, s.General[Rsp], release);
        return Branch(s, offset, s.CodeSize == CodeSize.Bits64 ? 8 : size);
    }

    private static ulong Advance(CpuState s, ulong pointer, ulong bytes)
    {
        ulong mask = Mask(StackSize(s));
        return pointer + bytes & mask | pointer & ~mask;
    }

    /// <summary>The checks of a return's code segment, common to RET and IRET.</summary>
    private static bool ReadReturnCode(ref TCpu cpu, CpuState s, ushort selector, out SegmentState code)
    {
        code = default;
        uint error = selector & NotNullMask;
        if (error == 0)
        {
            return GeneralProtection(s);
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong raw, out ulong linear))
        {
            return false;
        }

        code = Parse(raw, selector);
        int rpl = selector & 3;
        bool isCode = (code.Access & (SegmentState.CodeOrData | SegmentState.TypeCode)) == (SegmentState.CodeOrData | SegmentState.TypeCode);
        bool conforming = (code.Access & SegmentState.TypeExpandDown) != 0;
        if (!isCode || rpl < s.Cpl || (conforming ? code.Dpl > rpl : code.Dpl != rpl) || s.IsLongMode && code.IsLong && code.IsBig)
        {
            return GeneralProtection(s, error);
        }

        if ((code.Access & SegmentState.PresentBit) == 0)
        {
            return Fault(s, Vector.SegmentNotPresent, error);
        }

        return SetAccessed(ref cpu, s, linear, ref code);
    }

    /// <summary>Loads SS:RSP and CS of an outer level, and empties data segments that it may not use.</summary>
    private static bool ReturnOutward(ref TCpu cpu, CpuState s, SegmentState code, ushort selector, ulong pointer, int size)
    {
        int level = code.Selector & 3;
        uint error = selector & NotNullMask;
        SegmentState stack;
        if (error == 0)
        {
            if (!(s.IsLongMode && code.IsLong) || level == 3 || (selector & 3) != level)
            {
                return GeneralProtection(s);
            }

            stack = new() { Selector = selector, Access = SegmentState.UnusableBit | (uint)level << 5 };
        }
        else
        {
            if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong raw, out ulong linear))
            {
                return false;
            }

            stack = Parse(raw, selector);
            const uint Kind = SegmentState.CodeOrData | SegmentState.TypeCode | SegmentState.TypeWritable;
            if ((selector & 3) != level || stack.Dpl != level || (stack.Access & Kind) != (SegmentState.CodeOrData | SegmentState.TypeWritable))
            {
                return GeneralProtection(s, error);
            }

            if ((stack.Access & SegmentState.PresentBit) == 0)
            {
                return Fault(s, Vector.StackFault, error);
            }

            if (!SetAccessed(ref cpu, s, linear, ref stack))
            {
                return false;
            }
        }

        s.Segments[(int)SegmentName.Ss] = stack;
        s.Segments[(int)SegmentName.Cs] = code;
        ulong mask = s.CodeSize == CodeSize.Bits64 ? Mask(size) : Mask(stack.IsBig ? 4 : 2);
        s.General[Rsp] = pointer & mask | (s.CodeSize == CodeSize.Bits64 ? 0 : s.General[Rsp] & ~mask);
        for (int segment = 0; segment <= (int)SegmentName.Gs; segment++)
        {
            ref SegmentState data = ref s.Segments[segment];
            bool conforming = (data.Access & (SegmentState.TypeCode | SegmentState.TypeExpandDown)) == (SegmentState.TypeCode | SegmentState.TypeExpandDown);
            if (segment is not ((int)SegmentName.Cs or (int)SegmentName.Ss) && !data.IsUnusable && data.Dpl < level && !conforming)
            {
                data = new() { Access = SegmentState.UnusableBit };
            }
        }

        return true;
    }
}
