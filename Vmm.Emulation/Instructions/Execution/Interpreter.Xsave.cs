// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>FXSAVE, the XSAVE family (volume 1, chapter 13), MXCSR, and the x87 control instructions.</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong X87 = 1;
    private const ulong Sse = 2;
    private const ulong Ymm = 4;
    private const ulong ProtectionKeyState = 1 << 9;
    private const ulong Compacted = 1UL << 63;
    private const int LegacySize = 512;
    private const int HeaderSize = 64;

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
        int registers = s.CodeSize == CodeSize.Bits64 ? 16 : 8;
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

    /// <summary>The bits of MXCSR that may be set (volume 1, section 11.6.6; AMD, volume 1, section 4.2.2).</summary>
    private static uint MxcsrMask(CpuState s) => 0xFFFF | (s.Has(CpuFeatures.MisalignedSse) ? ExtendedState.MisalignedMask : 0);

    /// <summary>The common checks; a wrong alignment is #GP(0).</summary>
    private static bool BeginXsave(CpuState s, in Instruction i, CpuFeatures feature, out ulong linear)
    {
        linear = 0;
        if (!s.Has(feature) || (s.Cr4 & Cr4OsXsave) == 0)
        {
            return Undefined(s);
        }

        if ((s.Cr0 & Cr0Ts) != 0)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        if (feature == CpuFeatures.Xsaves && !IsKernel(s))
        {
            return false;
        }

        bool saves = i.Operation is not (Operation.Xrstor or Operation.Xrstors);
        return AddressUnaligned(s, in i, LegacySize + HeaderSize, saves, out linear) && ((linear & 63) == 0 || GeneralProtection(s));
    }

    private static ulong Requested(CpuState s) => (uint)s.General[Rax] | s.General[Rdx] << 32;

    /// <summary>The size of a component, its place in the standard format and in the image, and its alignment in the compacted one.</summary>
    private static (int Size, int Offset, bool Aligned) Component(ref TCpu cpu, int index)
    {
        CpuidResult leaf = cpu.Cpuid(0xD, (uint)index);

        // The image has the standard format; supervisor components have no offset there and no place.
        bool fits = leaf.Eax <= ExtendedState.Size && leaf.Ebx <= ExtendedState.Size && leaf.Eax + leaf.Ebx <= ExtendedState.Size;
        return fits ? ((int)leaf.Eax, (int)leaf.Ebx, (leaf.Ecx & 2) != 0) : (0, 0, false);
    }

    private static bool Xsave(ref TCpu cpu, CpuState s, in Instruction i)
    {
        CpuFeatures feature = i.Operation switch
        {
            Operation.Xsave => CpuFeatures.Xsave,
            Operation.Xsaveopt => CpuFeatures.Xsave | CpuFeatures.Xsaveopt,
            Operation.Xsavec => CpuFeatures.Xsave | CpuFeatures.Xsavec,
            _ => CpuFeatures.Xsaves,
        };
        if (!BeginXsave(s, in i, feature, out ulong linear))
        {
            return false;
        }

        bool compact = i.Operation is Operation.Xsavec or Operation.Xsaves;
        ulong enabled = i.Operation == Operation.Xsaves ? s.Xcr0 | s.Xss : s.Xcr0;
        ulong requested = Requested(s) & enabled;
        ulong inUse = InUse(ref cpu, s, requested);
        if ((requested & s.Xss & ~s.Xcr0) != 0)
        {
            // Supervisor components have no place in this state.
            return NotExecutable(s);
        }

        // What is not saved stays as it was, so the area is read, changed and written; a fault is always that of a write.
        Span<byte> area = s.Extended.Scratch;
        ulong oldBits = 0;
        int total = AreaSize(ref cpu, requested, compact);
        if (!ProbeRange(ref cpu, s, linear, total) || !compact && !ReadLinear(ref cpu, s, linear + LegacySize, out oldBits)
            || !ReadRange(ref cpu, s, linear, area[..total]))
        {
            return false;
        }

        ulong saved = i.Operation == Operation.Xsave ? requested : requested & inUse;
        // XSAVEC and XSAVES count MXCSR with SSE alone, the others with SSE and AVX (volume 1, sections 13.7, 13.10 and 13.11).
        bool savesMxcsr = compact ? (saved & Sse) != 0 : (requested & (Sse | Ymm)) != 0;
        SaveLegacy(s, area, saved, savesMxcsr, i.IsWide, s.CodeSize == CodeSize.Bits64 ? 16 : 8);
        int at = LegacySize + HeaderSize;
        for (int index = 2; index < 63; index++)
        {
            if ((requested >> index & 1) == 0)
            {
                continue;
            }

            (int size, int offset, bool aligned) = Component(ref cpu, index);
            int place = compact ? aligned ? at + 63 & ~63 : at : offset;
            at = place + size;
            if ((saved >> index & 1) != 0)
            {
                SaveComponent(s, index, offset, area.Slice(place, size));
            }
        }

        Span<byte> header = area.Slice(LegacySize, HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header, compact ? requested & inUse : oldBits & ~requested | requested & inUse);
        if (compact)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(header[8..], requested | Compacted);
        }

        return WriteRange(ref cpu, s, linear, area[..total]);
    }

    private static int AreaSize(ref TCpu cpu, ulong requested, bool compact)
    {
        int end = LegacySize + HeaderSize;
        for (int index = 2; index < 63; index++)
        {
            if ((requested >> index & 1) != 0)
            {
                (int size, int offset, bool aligned) = Component(ref cpu, index);
                end = compact ? (aligned ? end + 63 & ~63 : end) + size : Math.Max(end, offset + size);
            }
        }

        return Math.Min(end, ExtendedState.Size);
    }

    private static void SaveLegacy(CpuState s, Span<byte> area, ulong saved, bool savesMxcsr, bool wide, int registers)
    {
        if ((saved & X87) != 0)
        {
            SaveX87(s, area, wide);
        }

        if (savesMxcsr)
        {
            SaveMxcsr(s, area);
        }

        if ((saved & Sse) != 0)
        {
            s.Extended.Image.Slice(ExtendedState.Xmm0, registers * 16).CopyTo(area[ExtendedState.Xmm0..]);
        }
    }

    private static void SaveComponent(CpuState s, int index, int offset, Span<byte> to)
    {
        if (1UL << index == ProtectionKeyState)
        {
            to.Clear();
            BinaryPrimitives.WriteUInt32LittleEndian(to, s.Pkru);
            return;
        }

        s.Extended.Image.Slice(offset, to.Length).CopyTo(to);
    }

    /// <summary>A component that is all zero is in its initial state; x87 counts as in use always, as XINUSE permits.</summary>
    private static ulong InUse(ref TCpu cpu, CpuState s, ulong components)
    {
        ulong used = X87;
        if (s.Extended.Image.Slice(ExtendedState.Xmm0, 256).ContainsAnyExcept((byte)0) || s.Extended.MxcsrValue != 0x1F80)
        {
            used |= Sse;
        }

        for (int index = 2; index < 63; index++)
        {
            if ((components >> index & 1) == 0)
            {
                continue;
            }

            (int size, int offset, _) = Component(ref cpu, index);
            bool inUse = 1UL << index == ProtectionKeyState ? s.Pkru != 0 : s.Extended.Image.Slice(offset, size).ContainsAnyExcept((byte)0);
            used |= inUse ? 1UL << index : 0;
        }

        return used;
    }

    private static bool Xrstor(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool isSupervisor = i.Operation == Operation.Xrstors;
        if (!BeginXsave(s, in i, isSupervisor ? CpuFeatures.Xsaves : CpuFeatures.Xsave, out ulong linear))
        {
            return false;
        }

        Span<byte> area = s.Extended.Scratch;
        if (!ReadRange(ref cpu, s, linear, area[..(LegacySize + HeaderSize)]))
        {
            return false;
        }

        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(area[LegacySize..]);
        ulong layout = BinaryPrimitives.ReadUInt64LittleEndian(area[(LegacySize + 8)..]);
        bool compact = (layout & Compacted) != 0;
        ulong enabled = isSupervisor ? s.Xcr0 | s.Xss : s.Xcr0;
        ulong requested = Requested(s) & enabled;

        // The header's checks (volume 1, sections 13.8.1 and 13.8.2).
        bool valid = compact
            ? (isSupervisor || s.Has(CpuFeatures.Xsavec)) && (layout & ~Compacted & ~enabled) == 0 && (present & ~layout) == 0
                && !area.Slice(LegacySize + 16, 48).ContainsAnyExcept((byte)0)
            : !isSupervisor && (present & ~s.Xcr0) == 0 && !area.Slice(LegacySize + 8, 16).ContainsAnyExcept((byte)0);
        if (!valid)
        {
            return GeneralProtection(s);
        }

        if ((requested & s.Xss & ~s.Xcr0) != 0)
        {
            return NotExecutable(s);
        }

        int total = AreaSize(ref cpu, compact ? layout & ~Compacted : requested & present, compact);
        if (!ReadRange(ref cpu, s, linear, area[..total]))
        {
            return false;
        }

        bool loadsMxcsr = compact ? (requested & present & Sse) != 0 : (requested & (Sse | Ymm)) != 0;
        uint mxcsr = loadsMxcsr ? BinaryPrimitives.ReadUInt32LittleEndian(area[ExtendedState.Mxcsr..])
            : (requested & Sse) != 0 ? 0x1F80 : s.Extended.MxcsrValue;
        if ((mxcsr & ~MxcsrMask(s)) != 0)
        {
            return GeneralProtection(s);
        }

        RestoreLegacy(s, area, requested, present, i.IsWide);
        s.Extended.MxcsrValue = mxcsr;
        int at = LegacySize + HeaderSize;
        for (int index = 2; index < 63; index++)
        {
            bool inLayout = compact && (layout >> index & 1) != 0;
            if ((requested >> index & 1) == 0 && !inLayout)
            {
                continue;
            }

            (int size, int offset, bool aligned) = Component(ref cpu, index);
            int place = offset;
            if (inLayout)
            {
                place = aligned ? at + 63 & ~63 : at;
                at = place + size;
            }

            if ((requested >> index & 1) != 0)
            {
                RestoreComponent(s, index, offset, (present >> index & 1) != 0 ? area.Slice(place, size) : []);
            }
        }

        return true;
    }

    private static void RestoreLegacy(CpuState s, ReadOnlySpan<byte> area, ulong requested, ulong present, bool wide)
    {
        int registers = s.CodeSize == CodeSize.Bits64 ? 16 : 8;
        if ((requested & X87) != 0)
        {
            if ((present & X87) != 0)
            {
                RestoreX87(s, area, wide);
            }
            else
            {
                ResetX87(s);
                s.Extended.Image.Slice(ExtendedState.St0, 128).Clear();
            }
        }

        if ((requested & Sse) != 0)
        {
            Span<byte> xmm = s.Extended.Image.Slice(ExtendedState.Xmm0, registers * 16);
            if ((present & Sse) != 0)
            {
                area.Slice(ExtendedState.Xmm0, registers * 16).CopyTo(xmm);
            }
            else
            {
                xmm.Clear();
            }
        }
    }

    /// <summary>An empty source is the initial state, which is zero for all components beyond the legacy ones.</summary>
    private static void RestoreComponent(CpuState s, int index, int offset, ReadOnlySpan<byte> from)
    {
        if (1UL << index == ProtectionKeyState)
        {
            s.Pkru = from.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(from) : 0;
            s.FlushTranslations();
        }
        else if (from.Length > 0)
        {
            from.CopyTo(s.Extended.Image[offset..]);
        }
        else if (index == 2)
        {
            s.Extended.Image.Slice(ExtendedState.YmmHigh, 256).Clear();
        }
        else
        {
            ClearAbsent(s, offset, index);
        }
    }

    private static void ClearAbsent(CpuState s, int offset, int index)
    {
        // Sizes of the AVX-512 parts are architectural; others are at most one cache line.
        int size = index switch
        {
            6 => 512,
            7 => 1024,
            _ => 64,
        };
        s.Extended.Image.Slice(offset, Math.Min(size, ExtendedState.Size - offset)).Clear();
    }

    private static bool ProbeRange(ref TCpu cpu, CpuState s, ulong linear, int size)
    {
        for (int at = 0; at < size;)
        {
            int chunk = (int)Math.Min((uint)(size - at), 0x1000 - (linear + (uint)at & PageMask));
            if (!ProbeWrite(ref cpu, s, linear + (uint)at, chunk))
            {
                return false;
            }

            at += chunk;
        }

        return true;
    }

    private static bool ReadRange(ref TCpu cpu, CpuState s, ulong linear, Span<byte> data)
    {
        for (int at = 0; at < data.Length;)
        {
            int chunk = (int)Math.Min((uint)(data.Length - at), 0x1000 - (linear + (uint)at & PageMask));
            if (!ReadBytes(ref cpu, s, linear + (uint)at, data.Slice(at, chunk)))
            {
                return false;
            }

            at += chunk;
        }

        return true;
    }

    /// <summary>All pages were probed for writing before.</summary>
    private static bool WriteRange(ref TCpu cpu, CpuState s, ulong linear, ReadOnlySpan<byte> data)
    {
        for (int at = 0; at < data.Length;)
        {
            int chunk = (int)Math.Min((uint)(data.Length - at), 0x1000 - (linear + (uint)at & PageMask));
            if (!WriteBytes(ref cpu, s, linear + (uint)at, data.Slice(at, chunk)))
            {
                return false;
            }

            at += chunk;
        }

        return true;
    }

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
