// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>IN and OUT, and who may use a port.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool PortIo(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ushort port = i.Pattern is Pattern.AI or Pattern.IA ? (byte)i.Immediate : (ushort)s.General[Rdx];
        int size = i.OperandSize;
        if (!IsPortPermitted(ref cpu, s, port, size))
        {
            return false;
        }

        if (i.Operation == Operation.Out)
        {
            return WritePort(ref cpu, s, port, size, s.General[Rax]);
        }

        if (!ReadPort(ref cpu, s, port, size, out ulong value))
        {
            return false;
        }

        SetSized(s, Rax, value, size);
        return true;
    }

    private static bool ReadPort(ref TCpu cpu, CpuState s, ushort port, int size, out ulong value)
    {
        value = 0;
        PortAccessed(s, port, size);
        return Served(s, cpu.ReadPort(port, MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..size]));
    }

    private static bool WritePort(ref TCpu cpu, CpuState s, ushort port, int size, ulong value)
    {
        PortAccessed(s, port, size);
        return Served(s, cpu.WritePort(port, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[..size]));
    }

    private static void PortAccessed(CpuState s, ushort port, int size)
    {
        if (TCpu.IsSupervised && s.HasBreakpoints)
        {
            s.NotePort(port, size);
        }
    }

    /// <summary>IOPL, then the bitmap in a 32- or 64-bit TSS, of which two bytes are always read (volume 1, I/O permission bit map).</summary>
    private static bool IsPortPermitted(ref TCpu cpu, CpuState s, ushort port, int size)
    {
        if (!s.IsProtected || !s.IsVirtual8086 && s.Cpl <= ((int)(s.Rflags >> 12) & 3))
        {
            return true;
        }

        SegmentState tss = s.Segments[(int)SegmentName.Tr];
        if (tss.IsUnusable || tss.Type is not (9 or 11) || tss.Limit < 103)
        {
            return GeneralProtection(s);
        }

        if (!ReadLinear(ref cpu, s, tss.Base + 102, out ushort bitmap, isImplicit: true))
        {
            return false;
        }

        uint at = bitmap + (uint)(port >> 3);
        if (at + 1 > tss.Limit)
        {
            return GeneralProtection(s);
        }

        if (!ReadLinear(ref cpu, s, tss.Base + at, out ushort bits, isImplicit: true))
        {
            return false;
        }

        return (bits >> (port & 7) & (1 << size) - 1) == 0 || GeneralProtection(s);
    }
}
