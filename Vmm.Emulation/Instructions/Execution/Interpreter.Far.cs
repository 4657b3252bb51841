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
