// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Descriptors, and loads of segment registers with their checks (volume 3, memory management and protection).</summary>
internal static partial class Interpreter<TCpu>
{
    private const uint NotNullMask = 0xFFFC;

    private static SegmentState Parse(ulong raw, ushort selector)
    {
        uint limit = (uint)(raw & 0xFFFF | raw >> 32 & 0xF_0000);
        bool pages = (raw >> 55 & 1) != 0;
        return new()
        {
            Base = raw >> 16 & 0xFF_FFFF | (raw >> 56) << 24,
            Limit = pages ? limit << 12 | 0xFFF : limit,
            Access = (uint)(raw >> 40 & 0xFF | (raw >> 52 & 0xF) << 12),
            Selector = selector,
        };
    }

    private static SegmentState RealSegment(ushort selector, in SegmentState old, bool virtual8086)
    {
        SegmentState state = old;
        state.Selector = selector;
        state.Base = (ulong)selector << 4;
        if (virtual8086)
        {
            state.Limit = 0xFFFF;
            state.Access = 0xF3;
        }

        return state;
    }

    /// <summary>Finds a selector's descriptor; beyond its table's limit it raises <paramref name="vector"/> with the selector.</summary>
    private static bool ReadDescriptor(ref TCpu cpu, CpuState s, ushort selector, byte vector, out ulong raw, out ulong linear)
    {
        raw = 0;
        linear = 0;
        ulong table = s.Gdtr.Base;
        uint limit = s.Gdtr.Limit;
        if ((selector & 4) != 0)
        {
            ref SegmentState ldt = ref s.Segments[(int)SegmentName.Ldtr];
            table = ldt.Base;
            limit = ldt.Limit;
            if (ldt.IsUnusable || (ldt.Access & SegmentState.PresentBit) == 0)
            {
                return Fault(s, vector, selector & NotNullMask);
            }
        }

        uint offset = (uint)selector & 0xFFF8;
        if (offset + 7 > limit)
        {
            return Fault(s, vector, selector & NotNullMask);
        }

        linear = s.IsLongMode ? table + offset : (uint)(table + offset);
        return ReadLinear(ref cpu, s, linear, out raw, isImplicit: true);
    }

    private static bool SetAccessed(ref TCpu cpu, CpuState s, ulong linear, ref SegmentState state)
    {
        if ((state.Access & SegmentState.TypeAccessed) != 0)
        {
            return true;
        }

        state.Access |= SegmentState.TypeAccessed;
        return WriteLinear(ref cpu, s, linear + 5, (byte)state.Access, isImplicit: true);
    }

    private static bool LoadSegment(ref TCpu cpu, CpuState s, int segment, ushort selector)
    {
        ref SegmentState current = ref s.Segments[segment];
        if (!s.IsProtected || s.IsVirtual8086)
        {
            current = RealSegment(selector, in current, s.IsVirtual8086);
            return true;
        }

        int cpl = s.Cpl;
        int rpl = selector & 3;
        if ((selector & NotNullMask) == 0)
        {
            if (segment == (int)SegmentName.Ss && (s.CodeSize != CodeSize.Bits64 || cpl == 3 || rpl != cpl))
            {
                return GeneralProtection(s);
            }

            // The DPL stays: it is where CPL lives when SS is null.
            current = new()
            {
                Selector = selector,
                Access = SegmentState.UnusableBit | (segment == (int)SegmentName.Ss ? (uint)cpl << 5 : 0),
            };
            return true;
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong raw, out ulong linear))
        {
            return false;
        }

        SegmentState state = Parse(raw, selector);
        bool code = (state.Access & SegmentState.TypeCode) != 0;
        bool system = (state.Access & SegmentState.CodeOrData) == 0;
        uint error = selector & NotNullMask;
        if (segment == (int)SegmentName.Ss)
        {
            if (system || code || (state.Access & SegmentState.TypeWritable) == 0 || rpl != cpl || state.Dpl != cpl)
            {
                return GeneralProtection(s, error);
            }

            if ((state.Access & SegmentState.PresentBit) == 0)
            {
                return Fault(s, Vector.StackFault, error);
            }
        }
        else
        {
            bool readable = !code || (state.Access & SegmentState.TypeWritable) != 0;
            bool conforming = code && (state.Access & SegmentState.TypeExpandDown) != 0;
            if (system || !readable || !conforming && (rpl > state.Dpl || cpl > state.Dpl))
            {
                return GeneralProtection(s, error);
            }

            if ((state.Access & SegmentState.PresentBit) == 0)
            {
                return Fault(s, Vector.SegmentNotPresent, error);
            }
        }

        if (!SetAccessed(ref cpu, s, linear, ref state))
        {
            return false;
        }

        current = state;
        return true;
    }

    private static bool MoveSegment(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int segment = i.Reg & 7;
        if (i.Pattern == Pattern.ES)
        {
            // To memory always two bytes; to a register zero-extended to the operand size.
            int size = i.HasMemoryOperand ? 2 : i.OperandSize;
            return WriteESized(ref cpu, s, in i, size, s.Segments[segment].Selector);
        }

        if (!ReadESized(ref cpu, s, in i, 2, out ulong selector) || !LoadSegment(ref cpu, s, segment, (ushort)selector))
        {
            return false;
        }

        if (segment == (int)SegmentName.Ss)
        {
            s.NextShadow = InterruptShadow.MovSs;
        }

        return true;
    }

    private static bool PushSegment(ref TCpu cpu, CpuState s, in Instruction i)
        => Push(ref cpu, s, s.Segments[i.Opcode >> 3 & 7].Selector, i.OperandSize);

    private static bool PopSegment(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int segment = i.Opcode >> 3 & 7;
        ulong pointer = s.General[Rsp];
        if (!PopAt(ref cpu, s, ref pointer, out ulong selector, i.OperandSize) || !LoadSegment(ref cpu, s, segment, (ushort)selector))
        {
            return false;
        }

        s.General[Rsp] = pointer;
        if (segment == (int)SegmentName.Ss)
        {
            s.NextShadow = InterruptShadow.MovSs;
        }

        return true;
    }

    private static bool LoadFarPointer(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        if (!AddressUnaligned(s, in i, size + 2, write: false, out ulong linear)
            || !ReadSized(ref cpu, s, linear, size, out ulong offset)
            || !ReadLinear(ref cpu, s, linear + (uint)size, out ushort selector))
        {
            return false;
        }

        int segment = (int)(i.Operation switch
        {
            Operation.Les => SegmentName.Es,
            Operation.Lds => SegmentName.Ds,
            Operation.Lss => SegmentName.Ss,
            Operation.Lfs => SegmentName.Fs,
            _ => SegmentName.Gs,
        });
        if (!LoadSegment(ref cpu, s, segment, selector))
        {
            return false;
        }

        SetSized(s, i.Reg, offset, size);
        return true;
    }

    /// <summary>LAR, LSL, VERR, VERW: they report in ZF and never fault for what the selector names.</summary>
    private static bool InspectSelector(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.IsProtected || s.IsVirtual8086)
        {
            return Undefined(s);
        }

        if (!ReadESized(ref cpu, s, in i, 2, out ulong value))
        {
            return false;
        }

        ushort selector = (ushort)value;
        s.Outcome = default;
        ulong raw = 0;
        bool found = (selector & NotNullMask) != 0 && ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out raw, out _);
        if (!found && s.Outcome.Status != ExecutionStatus.Completed && s.Outcome.Vector != Vector.GeneralProtection)
        {
            return false;
        }

        s.Outcome = default;
        SegmentState state = Parse(raw, selector);
        found = found && IsVisible(s, in i, in state);
        if (found && (i.Operation is Operation.Lar or Operation.Lsl))
        {
            SetSized(s, i.Reg, i.Operation == Operation.Lar ? raw >> 32 & 0x00F0_FF00 : state.Limit, i.OperandSize);
        }

        SetFlags(s, FlagBits.Zero, found ? FlagBits.Zero : 0);
        return true;
    }

    private static bool IsVisible(CpuState s, in Instruction i, in SegmentState state)
    {
        bool system = (state.Access & SegmentState.CodeOrData) == 0;
        bool code = (state.Access & SegmentState.TypeCode) != 0;
        bool conforming = !system && code && (state.Access & SegmentState.TypeExpandDown) != 0;
        int rpl = state.Selector & 3;
        if (!conforming && (s.Cpl > state.Dpl || rpl > state.Dpl))
        {
            return false;
        }

        bool readableOrWritable = (state.Access & SegmentState.TypeWritable) != 0;
        return i.Operation switch
        {
            Operation.Verr => !system && (!code || readableOrWritable),
            Operation.Verw => !system && !code && readableOrWritable,
            Operation.Lar => !system || (s.IsLongMode ? state.Type is 2 or 9 or 11 or 12 : state.Type is 1 or 2 or 3 or 4 or 5 or 9 or 11 or 12),
            _ => !system || (s.IsLongMode ? state.Type is 2 or 9 or 11 : state.Type is 1 or 2 or 3 or 9 or 11),
        };
    }

    /// <summary>LLDT and LTR.</summary>
    private static bool LoadSystemSegment(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.IsProtected || s.IsVirtual8086)
        {
            return Undefined(s);
        }

        if (s.Cpl != 0)
        {
            return GeneralProtection(s);
        }

        if (!ReadESized(ref cpu, s, in i, 2, out ulong value))
        {
            return false;
        }

        ushort selector = (ushort)value;
        bool isLdt = i.Operation == Operation.Lldt;
        uint error = selector & NotNullMask;
        if (error == 0)
        {
            if (!isLdt)
            {
                return GeneralProtection(s);
            }

            s.Segments[(int)SegmentName.Ldtr] = new() { Selector = selector, Access = SegmentState.UnusableBit };
            return true;
        }

        if ((selector & 4) != 0)
        {
            return GeneralProtection(s, error);
        }

        if (!ReadDescriptor(ref cpu, s, selector, Vector.GeneralProtection, out ulong raw, out ulong linear))
        {
            return false;
        }

        SegmentState state = Parse(raw, selector);
        bool system = (state.Access & SegmentState.CodeOrData) == 0;
        bool typed = isLdt ? state.Type == 2 : state.Type == 9 || state.Type == 1 && !s.IsLongMode;
        if (!system || !typed)
        {
            return GeneralProtection(s, error);
        }

        if ((state.Access & SegmentState.PresentBit) == 0)
        {
            return Fault(s, Vector.SegmentNotPresent, error);
        }

        if (s.IsLongMode)
        {
            // The descriptor has 16 bytes, the upper ones with the base's upper half (volume 3, TSS descriptor in 64-bit mode).
            if ((selector & 0xFFF8u) + 15 > s.Gdtr.Limit)
            {
                return GeneralProtection(s, error);
            }

            if (!ReadLinear(ref cpu, s, linear + 8, out ulong upper, isImplicit: true))
            {
                return false;
            }

            state.Base |= upper << 32;
            if (!IsCanonical(s, state.Base) || (upper >> 40 & 0x1F) != 0)
            {
                return GeneralProtection(s, error);
            }
        }

        if (!isLdt)
        {
            state.Access |= 2;
            if (!WriteLinear(ref cpu, s, linear + 5, (byte)state.Access, isImplicit: true))
            {
                return false;
            }
        }

        s.Segments[(int)(isLdt ? SegmentName.Ldtr : SegmentName.Tr)] = state;
        return true;
    }

    /// <summary>ARPL raises the destination's RPL to the source's.</summary>
    private static bool AdjustRpl(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!s.IsProtected || s.IsVirtual8086)
        {
            return Undefined(s);
        }

        if (!BeginUpdate(ref cpu, s, in i, out Update<ushort> update, out ushort value))
        {
            return false;
        }

        ushort wanted = (ushort)(s.General[i.Reg] & 3);
        bool raised = (value & 3) < wanted;
        ushort result = raised ? (ushort)(value & ~3 | wanted) : value;
        if (!EndUpdate(ref cpu, s, in i, ref update, result, ref value, out _))
        {
            return false;
        }

        SetFlags(s, FlagBits.Zero, raised ? FlagBits.Zero : 0);
        return true;
    }
}
