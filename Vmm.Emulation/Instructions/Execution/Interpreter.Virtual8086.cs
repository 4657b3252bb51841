// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Interrupts and IRET of 8086 programs (volume 3, 8086 emulation).</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong Cr4Vme = 1;

    /// <summary>
    /// In virtual-8086 mode INT n traps with IOPL below 3, unless CR4.VME and the TSS send it to the 8086 program's own handler.
    /// </summary>
    private static bool SoftwareInterrupt(ref TCpu cpu, CpuState s, byte vector)
    {
        if (s.IsVirtual8086 && (s.Cr4 & Cr4Vme) != 0)
        {
            if (!TryReadRedirection(ref cpu, s, vector, out bool staysInProgram))
            {
                return false;
            }

            if (staysInProgram)
            {
                return EnterProgramHandler(ref cpu, s, vector);
            }
        }

        if (s.IsVirtual8086 && (s.Rflags & FlagBits.IoPrivilege) != FlagBits.IoPrivilege)
        {
            return GeneralProtection(s);
        }

        return Deliver(ref cpu, s, vector, InterruptKind.SoftwareInterrupt, hasError: false, 0);
    }

    /// <summary>The bit of the software interrupt redirection bitmap, which ends where the I/O bitmap begins (volume 3, interrupts in virtual-8086 mode, class 3).</summary>
    private static bool TryReadRedirection(ref TCpu cpu, CpuState s, byte vector, out bool staysInProgram)
    {
        const uint BitmapBaseAt = 102;
        const uint BitmapLength = 32;
        staysInProgram = false;
        SegmentState tss = s.Segments[(int)SegmentName.Tr];
        if (tss.Limit < BitmapBaseAt + 1)
        {
            return GeneralProtection(s);
        }

        if (!ReadLinear(ref cpu, s, (uint)(tss.Base + BitmapBaseAt), out ushort ioBitmap, isImplicit: true))
        {
            return false;
        }

        uint at = ioBitmap - BitmapLength + (uint)(vector >> 3);
        if (at > tss.Limit)
        {
            return GeneralProtection(s);
        }

        if (!ReadLinear(ref cpu, s, (uint)(tss.Base + at), out byte bits, isImplicit: true))
        {
            return false;
        }

        staysInProgram = (bits >> (vector & 7) & 1) == 0;
        return true;
    }

    /// <summary>
    /// The handler of the 8086 program, through the vectors at linear address 0 (volume 3, interrupts in virtual-8086 mode, class 3, methods 5 and 6). With IOPL
    /// below 3 the program's interrupt flag is VIF.
    /// </summary>
    private static bool EnterProgramHandler(ref TCpu cpu, CpuState s, byte vector)
    {
        bool isVirtual = (s.Rflags & FlagBits.IoPrivilege) != FlagBits.IoPrivilege;
        ulong flags = s.Rflags;
        if (isVirtual)
        {
            flags = flags & ~FlagBits.Interrupt | FlagBits.IoPrivilege
                | ((flags & FlagBits.VirtualInterrupt) != 0 ? FlagBits.Interrupt : 0);
        }

        if (!ReadLinear(ref cpu, s, vector * 4u, out uint pointer)
            || !Push(ref cpu, s, flags, 2) || !Push(ref cpu, s, s.Segments[(int)SegmentName.Cs].Selector, 2) || !Push(ref cpu, s, s.NextRip, 2))
        {
            return false;
        }

        s.Rflags &= ~(FlagBits.Trap | (isVirtual ? FlagBits.VirtualInterrupt : FlagBits.Interrupt));
        ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
        cs = RealSegment((ushort)(pointer >> 16), in cs, virtual8086: true);
        return Branch(s, (ushort)pointer, 2);
    }

    /// <summary>IRET of an 8086 program with IOPL below 3: its IF is VIF (volume 3, interrupts in virtual-8086 mode, class 2).</summary>
    private static bool ReturnInProgram(ref TCpu cpu, CpuState s, int size)
    {
        ulong pointer = s.General[Rsp];
        if ((s.Cr4 & Cr4Vme) == 0 || size != 2)
        {
            return GeneralProtection(s);
        }

        if (!PopAt(ref cpu, s, ref pointer, out ulong offset, size) || !PopAt(ref cpu, s, ref pointer, out ulong selector, size)
            || !PopAt(ref cpu, s, ref pointer, out ulong flags, size))
        {
            return false;
        }

        bool enables = (flags & FlagBits.Interrupt) != 0;
        if ((flags & FlagBits.Trap) != 0 || enables && (s.Rflags & FlagBits.VirtualInterruptPending) != 0)
        {
            return GeneralProtection(s);
        }

        ref SegmentState cs = ref s.Segments[(int)SegmentName.Cs];
        cs = RealSegment((ushort)selector, in cs, virtual8086: true);
        s.General[Rsp] = pointer;
        const ulong Loaded = FlagBits.Status | FlagBits.Trap | FlagBits.Direction | FlagBits.NestedTask;
        s.Rflags = s.Rflags & ~(Loaded | FlagBits.VirtualInterrupt | FlagBits.Resume) | flags & Loaded
            | (enables ? FlagBits.VirtualInterrupt : 0);
        return Branch(s, offset, size);
    }

    private static bool ReturnToVirtual8086(ref TCpu cpu, CpuState s, ulong pointer, ulong offset, ushort selector, ulong flags)
    {
        Span<ulong> values = stackalloc ulong[6];
        for (int n = 0; n < values.Length; n++)
        {
            if (!PopAt(ref cpu, s, ref pointer, out values[n], 4))
            {
                return false;
            }
        }

        LoadFlags(s, flags, 4, 0, mayChangeVirtual: true);
        ReadOnlySpan<int> order = [(int)SegmentName.Ss, (int)SegmentName.Es, (int)SegmentName.Ds, (int)SegmentName.Fs, (int)SegmentName.Gs];
        for (int n = 0; n < order.Length; n++)
        {
            s.Segments[order[n]] = RealSegment((ushort)values[n + 1], default, virtual8086: true);
        }

        s.Segments[(int)SegmentName.Cs] = RealSegment(selector, default, virtual8086: true);
        s.General[Rsp] = values[0];
        return Branch(s, (ushort)offset, 2);
    }
}
