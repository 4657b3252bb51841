// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>PUSH, POP and their relatives, ENTER, LEAVE.</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong PushedFlags = 0x00FC_FFFF;

    /// <summary>The stack's address size: 8 in 64-bit mode, else by SS.B (volume 3, limit checking in 64-bit mode).</summary>
    private static int StackSize(CpuState s)
        => s.CodeSize == CodeSize.Bits64 ? 8 : s.Segments[(int)SegmentName.Ss].IsBig ? 4 : 2;

    /// <summary>Writes below a stack pointer that is not yet committed, and moves it.</summary>
    private static bool PushAt(ref TCpu cpu, CpuState s, ref ulong pointer, ulong value, int size)
    {
        int stackSize = StackSize(s);
        ulong offset = pointer - (uint)size & Mask(stackSize);
        if (!Linear(s, s.CodeSize, (int)SegmentName.Ss, offset, size, write: true, out ulong linear) || !IsAligned(s, linear, size))
        {
            return false;
        }

        bool written = size switch
        {
            2 => WriteLinear(ref cpu, s, linear, (ushort)value),
            4 => WriteLinear(ref cpu, s, linear, (uint)value),
            _ => WriteLinear(ref cpu, s, linear, value),
        };
        pointer = offset | pointer & ~Mask(stackSize);
        return written;
    }

    private static bool PopAt(ref TCpu cpu, CpuState s, ref ulong pointer, out ulong value, int size)
    {
        int stackSize = StackSize(s);
        ulong offset = pointer & Mask(stackSize);
        Unsafe.SkipInit(out value);
        if (!Linear(s, s.CodeSize, (int)SegmentName.Ss, offset, size, write: false, out ulong linear) || !IsAligned(s, linear, size)
            || !ReadSized(ref cpu, s, linear, size, out value))
        {
            return false;
        }

        pointer = offset + (uint)size & Mask(stackSize) | pointer & ~Mask(stackSize);
        return true;
    }

    private static bool ReadSized(ref TCpu cpu, CpuState s, ulong linear, int size, out ulong value, bool isImplicit = false)
    {
        Unsafe.SkipInit(out value);
        switch (size)
        {
            case 1:
                if (!ReadLinear(ref cpu, s, linear, out byte one, isImplicit))
                {
                    return false;
                }

                value = one;
                return true;
            case 2:
                if (!ReadLinear(ref cpu, s, linear, out ushort two, isImplicit))
                {
                    return false;
                }

                value = two;
                return true;
            case 4:
                if (!ReadLinear(ref cpu, s, linear, out uint four, isImplicit))
                {
                    return false;
                }

                value = four;
                return true;
            default:
                return ReadLinear(ref cpu, s, linear, out value, isImplicit);
        }
    }

    private static bool WriteSized(ref TCpu cpu, CpuState s, ulong linear, int size, ulong value) => size switch
    {
        1 => WriteLinear(ref cpu, s, linear, (byte)value),
        2 => WriteLinear(ref cpu, s, linear, (ushort)value),
        4 => WriteLinear(ref cpu, s, linear, (uint)value),
        _ => WriteLinear(ref cpu, s, linear, value),
    };

    /// <summary>Reads the ModRM operand by operand size, zero-extended.</summary>
    private static bool ReadESized(ref TCpu cpu, CpuState s, in Instruction i, int size, out ulong value)
    {
        if (!i.HasMemoryOperand)
        {
            value = s.General[i.Rm] & Mask(size);
            return true;
        }

        Unsafe.SkipInit(out value);
        return Address(s, in i, size, write: false, out ulong linear) && ReadSized(ref cpu, s, linear, size, out value);
    }

    private static bool WriteESized(ref TCpu cpu, CpuState s, in Instruction i, int size, ulong value)
    {
        if (!i.HasMemoryOperand)
        {
            SetSized(s, i.Rm, value, size);
            return true;
        }

        return Address(s, in i, size, write: true, out ulong linear) && WriteSized(ref cpu, s, linear, size, value);
    }

    private static bool Push(ref TCpu cpu, CpuState s, ulong value, int size)
    {
        ulong pointer = s.General[Rsp];
        if (!PushAt(ref cpu, s, ref pointer, value, size))
        {
            return false;
        }

        s.General[Rsp] = pointer;
        return true;
    }

    private static bool PushOperand(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong value;
        switch (i.Pattern)
        {
            case Pattern.Z:
                value = s.General[i.Rm];
                break;
            case Pattern.I:
                value = i.Immediate;
                break;
            default:
                if (!ReadESized(ref cpu, s, in i, i.OperandSize, out value))
                {
                    return false;
                }

                break;
        }

        return Push(ref cpu, s, value, i.OperandSize);
    }

    /// <summary>POP to memory computes its address with the stack pointer already moved (volume 2, POP).</summary>
    private static bool PopOperand(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong before = s.General[Rsp];
        ulong pointer = before;
        if (!PopAt(ref cpu, s, ref pointer, out ulong value, i.OperandSize))
        {
            return false;
        }

        s.General[Rsp] = pointer;
        if (i.Pattern == Pattern.Z || !i.HasMemoryOperand)
        {
            SetSized(s, i.Rm, value, i.OperandSize);
            return true;
        }

        if (WriteESized(ref cpu, s, in i, i.OperandSize, value))
        {
            return true;
        }

        s.General[Rsp] = before;
        return false;
    }

    private static bool PushAll(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong pointer = s.General[Rsp];
        ulong original = pointer;
        int size = i.OperandSize;
        int stackSize = StackSize(s);
        ulong bottom = pointer - (uint)(size * 8) & Mask(stackSize);

        // All of the eight slots are checked before the first is written, unless they wrap around the segment's end.
        if (bottom < (pointer & Mask(stackSize))
            && (!Linear(s, s.CodeSize, (int)SegmentName.Ss, bottom, size * 8, write: true, out ulong linear)
                || !ProbeWrite(ref cpu, s, linear, size * 8)))
        {
            return false;
        }

        for (int register = 0; register < 8; register++)
        {
            if (!PushAt(ref cpu, s, ref pointer, register == Rsp ? original : s.General[register], size))
            {
                return false;
            }
        }

        s.General[Rsp] = pointer;
        return true;
    }

    private static bool PopAll(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong pointer = s.General[Rsp];
        Span<ulong> values = stackalloc ulong[8];
        for (int register = 7; register >= 0; register--)
        {
            if (!PopAt(ref cpu, s, ref pointer, out values[register], i.OperandSize))
            {
                return false;
            }
        }

        for (int register = 0; register < 8; register++)
        {
            if (register != Rsp)
            {
                SetSized(s, register, values[register], i.OperandSize);
            }
        }

        s.General[Rsp] = pointer;
        return true;
    }

    /// <summary>In virtual-8086 mode with IOPL below 3 these trap, unless CR4.VME lets the 16-bit forms use VIF (volume 3, interrupts in virtual-8086 mode, class 2).</summary>
    private static bool PushFlags(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong flags = s.Rflags & PushedFlags & ~(FlagBits.Resume | FlagBits.VirtualMode);
        if (s.IsVirtual8086 && (s.Rflags & FlagBits.IoPrivilege) != FlagBits.IoPrivilege)
        {
            if ((s.Cr4 & 1) == 0 || i.OperandSize != 2)
            {
                return GeneralProtection(s);
            }

            flags |= FlagBits.IoPrivilege;
            flags = flags & ~FlagBits.Interrupt | ((s.Rflags & FlagBits.VirtualInterrupt) != 0 ? FlagBits.Interrupt : 0);
        }

        return Push(ref cpu, s, flags, i.OperandSize);
    }

    private static bool PopFlags(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong pointer = s.General[Rsp];
        if (!PopAt(ref cpu, s, ref pointer, out ulong value, i.OperandSize))
        {
            return false;
        }

        bool virtual8086 = s.IsVirtual8086;
        int privilege = (int)(s.Rflags >> 12) & 3;
        ulong writable = 0x0024_4DD5 | FlagBits.AlignmentCheck;
        writable &= Mask(i.OperandSize);
        if (virtual8086 && privilege < 3)
        {
            if ((s.Cr4 & 1) == 0 || i.OperandSize != 2
                || (value & FlagBits.Trap) != 0 || (value & FlagBits.Interrupt) != 0 && (s.Rflags & FlagBits.VirtualInterruptPending) != 0)
            {
                return GeneralProtection(s);
            }

            s.Rflags = s.Rflags & ~(writable | FlagBits.VirtualInterrupt) | value & writable
                | ((value & FlagBits.Interrupt) != 0 ? FlagBits.VirtualInterrupt : 0);
            s.General[Rsp] = pointer;
            return true;
        }

        int cpl = s.IsProtected ? s.Cpl : 0;
        if (cpl == 0 && !virtual8086)
        {
            writable |= FlagBits.IoPrivilege;
        }

        if (cpl <= privilege || !s.IsProtected)
        {
            writable |= FlagBits.Interrupt;
        }

        s.Rflags = (s.Rflags & ~(writable | FlagBits.Resume) | value & writable) | FlagBits.Fixed;
        s.General[Rsp] = pointer;
        return true;
    }

    /// <summary>Nesting levels above 0 copy frame pointers; the level is taken modulo 32 (volume 2, ENTER).</summary>
    private static bool Enter(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        int stackSize = StackSize(s);
        int level = (int)(i.Immediate >> 16) & 31;
        ulong allocate = i.Immediate & 0xFFFF;
        ulong pointer = s.General[Rsp];
        ulong source = s.General[Rbp];
        if (!PushAt(ref cpu, s, ref pointer, source, size))
        {
            return false;
        }

        ulong frame = pointer;
        for (int n = 1; n < level; n++)
        {
            source = source - (uint)size & Mask(stackSize) | source & ~Mask(stackSize);
            if (!Linear(s, s.CodeSize, (int)SegmentName.Ss, source & Mask(stackSize), size, write: false, out ulong linear)
                || !IsAligned(s, linear, size) || !ReadSized(ref cpu, s, linear, size, out ulong value) || !PushAt(ref cpu, s, ref pointer, value, size))
            {
                return false;
            }
        }

        if (level > 0 && !PushAt(ref cpu, s, ref pointer, frame, size))
        {
            return false;
        }

        pointer = pointer - allocate & Mask(stackSize) | pointer & ~Mask(stackSize);

        // The new top of the stack must be writable although nothing is written to it.
        if (!Linear(s, s.CodeSize, (int)SegmentName.Ss, pointer & Mask(stackSize), size, write: true, out ulong top)
            || !IsAligned(s, top, size) || !Translate(ref cpu, s, top, TranslationCache.Write, out _))
        {
            return false;
        }

        SetSized(s, Rbp, frame, size);
        s.General[Rsp] = pointer;
        return true;
    }

    private static bool Leave(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int stackSize = StackSize(s);
        ulong pointer = s.General[Rbp] & Mask(stackSize) | s.General[Rsp] & ~Mask(stackSize);
        if (!PopAt(ref cpu, s, ref pointer, out ulong value, i.OperandSize))
        {
            return false;
        }

        s.General[Rsp] = pointer;
        SetSized(s, Rbp, value, i.OperandSize);
        return true;
    }
}
