// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>FXSAVE and FXRSTOR (volume 1, section 10.5), MXCSR, and the x87 control instructions.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool FxState(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if ((s.Cr0 & (Cr0Em | Cr0Ts)) != 0)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        bool saves = i.Operation == Operation.Fxsave;
        if (!AddressUnaligned(s, in i, LegacySize, saves, out ulong linear))
        {
            return false;
        }

        if ((linear & 15) != 0)
        {
            return GeneralProtection(s);
        }

        Span<byte> area = stackalloc byte[LegacySize];
        int registers = XmmCount(s);
        bool hasXmm = (s.Cr4 & Cr4OsFxsr) != 0;
        if (saves)
        {
            // Bytes 464-511 belong to software and are not written (volume 1, section 10.5.1).
            SaveX87(s, area, i.IsWide);
            SaveMxcsr(s, area);
            if (hasXmm)
            {
                s.Extended.Image.Slice(ExtendedState.Xmm0, registers * 16).CopyTo(area[ExtendedState.Xmm0..]);
            }

            return WriteBytes(ref cpu, s, linear, area[..(hasXmm ? ExtendedState.Xmm0 + registers * 16 : ExtendedState.Xmm0)]);
        }

        if (!ReadBytes(ref cpu, s, linear, area))
        {
            return false;
        }

        uint mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(area[ExtendedState.Mxcsr..]);
        if ((mxcsr & ~MxcsrMask(s)) != 0)
        {
            return GeneralProtection(s);
        }

        RestoreX87(s, area, i.IsWide);
        s.Extended.MxcsrValue = mxcsr;
        if (hasXmm)
        {
            area.Slice(ExtendedState.Xmm0, registers * 16).CopyTo(s.Extended.Image[ExtendedState.Xmm0..]);
        }

        return true;
    }

    /// <summary>Without REX.W the pointers are 32-bit offsets with selectors, which processors now store as 0.</summary>
    private static void SaveX87(CpuState s, Span<byte> area, bool wide)
    {
        Span<byte> image = s.Extended.Image;
        image[..ExtendedState.Mxcsr].CopyTo(area);
        if (!wide)
        {
            area.Slice(12, 4).Clear();
            area.Slice(20, 4).Clear();
        }

        image.Slice(ExtendedState.St0, 128).CopyTo(area[ExtendedState.St0..]);
    }

    private static void RestoreX87(CpuState s, ReadOnlySpan<byte> area, bool wide)
    {
        Span<byte> image = s.Extended.Image;
        area[..ExtendedState.Mxcsr].CopyTo(image);
        if (!wide)
        {
            image.Slice(12, 4).Clear();
            image.Slice(20, 4).Clear();
        }

        area.Slice(ExtendedState.St0, 128).CopyTo(image[ExtendedState.St0..]);
        s.Extended.ControlWord = ControlWordOf(s.Extended.ControlWord);
        SummarizeX87(s.Extended);
    }

    /// <summary>ES and B follow from the pending exceptions that the masks leave unmasked (volume 1, section 8.1.3.3).</summary>
    private static void SummarizeX87(ExtendedState x)
    {
        bool pending = (x.Status & ~x.ControlWord & 0x3F) != 0;
        x.Status = (ushort)(pending ? x.Status | 0x8080 : x.Status & ~0x8080);
    }

    /// <summary>The reserved bits of the x87 control word: bit 6 reads as one, 7 and 13-15 as zero.</summary>
    private static ushort ControlWordOf(ulong value) => (ushort)(value & 0x1F3F | 0x40);

    private static void SaveMxcsr(CpuState s, Span<byte> area)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(area[ExtendedState.Mxcsr..], s.Extended.MxcsrValue);
        BinaryPrimitives.WriteUInt32LittleEndian(area[(ExtendedState.Mxcsr + 4)..], MxcsrMask(s));
    }

    /// <summary>The bits of MXCSR that may be set (volume 1, section 11.6.6; AMD, volume 1, MXCSR register).</summary>
    private static uint MxcsrMask(CpuState s) => 0xFFFF | (s.Has(CpuFeatures.MisalignedSse) ? ExtendedState.MisalignedMask : 0);

    private static bool MxcsrControl(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!IsVectorUsable(s, in i))
        {
            return false;
        }

        if (i.Operation is Operation.Stmxcsr or Operation.Vstmxcsr)
        {
            return WriteESized(ref cpu, s, in i, 4, s.Extended.MxcsrValue);
        }

        if (!ReadESized(ref cpu, s, in i, 4, out ulong value))
        {
            return false;
        }

        if ((value & ~(ulong)MxcsrMask(s)) != 0)
        {
            return GeneralProtection(s);
        }

        s.Extended.MxcsrValue = (uint)value;
        return true;
    }

    private static void ResetX87(CpuState s)
    {
        s.Extended.Image[..ExtendedState.Mxcsr].Clear();
        s.Extended.ControlWord = 0x37F;
    }

    private static bool X87Control(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if ((s.Cr0 & (Cr0Em | Cr0Ts)) != 0)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        ExtendedState x = s.Extended;
        switch (i.Operation)
        {
            case Operation.Fninit:
                // The registers stay where they are, and so does what is in empty ones (volume 2, FINIT).
                MoveTop(s, 8 - Top(s));
                ResetX87(s);
                return true;
            case Operation.Fnclex:
                x.Status = (ushort)(x.Status & 0x7F00);
                return true;
            case Operation.Fnstcw:
                return WriteESized(ref cpu, s, in i, 2, x.ControlWord);
            case Operation.Fnstsw:
                if (!i.HasMemoryOperand)
                {
                    SetSized(s, Rax, x.Status, 2);
                    return true;
                }

                return WriteESized(ref cpu, s, in i, 2, x.Status);
            default:
                if ((x.Status & 0x80) != 0)
                {
                    return Fault(s, Vector.MathFault);
                }

                if (!ReadESized(ref cpu, s, in i, 2, out ulong value))
                {
                    return false;
                }

                x.ControlWord = ControlWordOf(value);
                SummarizeX87(x);
                return true;
        }
    }

    private static bool Emms(CpuState s)
    {
        if (!BeginMmx(s))
        {
            return false;
        }

        EnterMmx(s);
        s.Extended.AbridgedTags = 0;
        return true;
    }

    private static bool Wait(CpuState s)
    {
        // CR0.MP and TS together.
        if ((s.Cr0 & 0xA) == 0xA)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        return (s.Extended.Status & 0x80) == 0 || (s.Cr0 & 0x20) == 0 || Fault(s, Vector.MathFault);
    }
}
