// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Near control transfers: JMP, Jcc, CALL, RET, LOOP, JCXZ; BOUND.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Continues at a near target, which must be canonical or within CS's limit; the check comes before anything is committed.</summary>
    private static bool CheckTarget(CpuState s, ref ulong target, int size)
    {
        target &= Mask(size);
        if (s.CodeSize == CodeSize.Bits64)
        {
            return IsCanonical(s, target) || GeneralProtection(s);
        }

        return target <= s.Segments[(int)SegmentName.Cs].Limit || GeneralProtection(s);
    }

    private static bool Branch(CpuState s, ulong target, int size)
    {
        if (!CheckTarget(s, ref target, size))
        {
            return false;
        }

        s.NextRip = target;
        return true;
    }

    /// <summary>A relative jump taken: as <see cref="Branch"/>, in the mode that the instruction was decoded in.</summary>
    private static bool BranchRelative(CpuState s, in Instruction i)
    {
        ulong target = s.NextRip + i.Immediate;
        if (i.SizeLog2 == 2 && (uint)target <= s.Segments[(int)SegmentName.Cs].Limit)
        {
            s.NextRip = (uint)target;
            return true;
        }

        return Branch(s, target, i.OperandSize);
    }

    private static bool Jump(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (i.Pattern == Pattern.J)
        {
            return BranchRelative(s, in i);
        }

        return ReadESized(ref cpu, s, in i, i.OperandSize, out ulong target) && Branch(s, target, i.OperandSize);
    }

    private static bool ConditionalJump(CpuState s, in Instruction i)
        => !s.IsTrue(i.Opcode) || BranchRelative(s, in i);

    private static bool Call(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong target;
        if (i.Pattern == Pattern.J)
        {
            target = s.NextRip + i.Immediate;
        }
        else if (!ReadESized(ref cpu, s, in i, i.OperandSize, out target))
        {
            return false;
        }

        ulong pointer = s.General[Rsp];
        if (!CheckTarget(s, ref target, i.OperandSize) || !PushAt(ref cpu, s, ref pointer, s.NextRip, i.OperandSize))
        {
            return false;
        }

        s.General[Rsp] = pointer;
        s.NextRip = target;
        return true;
    }

    private static bool Return(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong pointer = s.General[Rsp];
        if (!PopAt(ref cpu, s, ref pointer, out ulong target, i.OperandSize) || !CheckTarget(s, ref target, i.OperandSize))
        {
            return false;
        }

        ulong mask = Mask(StackSize(s));
        ulong release = i.Pattern == Pattern.I ? i.Immediate : 0;
        s.General[Rsp] = pointer + release & mask | pointer & ~mask;
        s.NextRip = target;
        return true;
    }

    /// <summary>The counter has the address size.</summary>
    private static bool Loop(CpuState s, in Instruction i)
    {
        ulong mask = Mask(i.AddressSize);
        ulong count = s.General[Rcx] & mask;
        bool taken;
        if (i.Operation == Operation.Jcxz)
        {
            taken = count == 0;
            return !taken || Branch(s, s.NextRip + i.Immediate, i.OperandSize);
        }

        count = count - 1 & mask;
        bool zero = (s.Rflags & FlagBits.Zero) != 0;
        taken = count != 0 && (i.Operation == Operation.Loop || zero == (i.Operation == Operation.Loope));
        if (taken && !Branch(s, s.NextRip + i.Immediate, i.OperandSize))
        {
            return false;
        }

        SetSized(s, Rcx, count, i.AddressSize);
        return true;
    }

    private static bool Bound(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        if (!AddressUnaligned(s, in i, size * 2, write: false, out ulong linear)
            || !ReadSized(ref cpu, s, linear, size, out ulong low) || !ReadSized(ref cpu, s, linear + (uint)size, size, out ulong high))
        {
            return false;
        }

        int up = 64 - size * 8;
        long index = (long)(s.General[i.Reg] << up) >> up;
        bool inside = index >= (long)(low << up) >> up && index <= (long)(high << up) >> up;
        return inside || Fault(s, Vector.BoundRange);
    }
}
