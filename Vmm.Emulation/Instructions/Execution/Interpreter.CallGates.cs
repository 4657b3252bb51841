// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Far JMP and CALL through call gates, and stacks of inner levels (volume 3, transferring program control between code segments).</summary>
internal static partial class Interpreter<TCpu>
{
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
}
