// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The XSAVE family (volume 1, chapter 13).</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong X87 = 1;
    private const ulong Sse = 2;
    private const ulong Ymm = 4;
    private const ulong ProtectionKeyState = 1 << 9;
    private const ulong Compacted = 1UL << 63;
    private const int LegacySize = 512;
    private const int HeaderSize = 64;

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

        return XsaveArea(s, in i, LegacySize + HeaderSize, out linear) && ((linear & 63) == 0 || GeneralProtection(s));
    }

    /// <summary>The segment's and the canonical addresses' checks of an area, which grows with the components in it.</summary>
    private static bool XsaveArea(CpuState s, in Instruction i, int size, out ulong linear)
        => AddressUnaligned(s, in i, size, write: i.Operation is not (Operation.Xrstor or Operation.Xrstors), out linear);

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
            return NotExecutable(s, ExecutionRefusal.SupervisorState);
        }

        ulong saved = i.Operation == Operation.Xsave ? requested : requested & inUse;
        // XSAVEC and XSAVES count MXCSR with SSE alone, the others with SSE and AVX (volume 1, sections 13.7, 13.10 and 13.11).
        bool savesMxcsr = compact ? (saved & Sse) != 0 : (requested & (Sse | Ymm)) != 0;

        // What is not saved is not written, as it may be another processor's; a fault is always that of a write.
        ulong oldBits = 0;
        int total = AreaSize(ref cpu, requested, compact);
        if (!XsaveArea(s, in i, total, out _) || !ProbeRange(ref cpu, s, linear, total)
            || !compact && !ReadLinear(ref cpu, s, linear + LegacySize, out oldBits)
            || !SaveLegacy(ref cpu, s, linear, saved, savesMxcsr, i.IsWide))
        {
            return false;
        }

        Span<byte> area = s.Extended.Scratch;
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
                Span<byte> accessible = area[..Accessible(s, index, size)];
                SaveComponent(s, index, offset, accessible);
                if (!WriteRange(ref cpu, s, linear + (uint)place, accessible))
                {
                    return false;
                }
            }
        }

        // The rest of the header is not written either (volume 1, sections 13.7 and 13.10).
        BinaryPrimitives.WriteUInt64LittleEndian(area, compact ? requested & inUse : oldBits & ~requested | requested & inUse);
        BinaryPrimitives.WriteUInt64LittleEndian(area[8..], requested | Compacted);
        return WriteRange(ref cpu, s, linear + LegacySize, area[..(compact ? 16 : 8)]);
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

    private static bool SaveLegacy(ref TCpu cpu, CpuState s, ulong linear, ulong saved, bool savesMxcsr, bool wide)
    {
        const int MxcsrSize = 8;
        Span<byte> area = s.Extended.Scratch;
        if ((saved & X87) != 0)
        {
            SaveX87(s, area, wide);
            if (!WriteRange(ref cpu, s, linear, area[..ExtendedState.Mxcsr])
                || !WriteRange(ref cpu, s, linear + ExtendedState.St0, area[ExtendedState.St0..ExtendedState.Xmm0]))
            {
                return false;
            }
        }

        if (savesMxcsr)
        {
            SaveMxcsr(s, area);
            if (!WriteRange(ref cpu, s, linear + ExtendedState.Mxcsr, area.Slice(ExtendedState.Mxcsr, MxcsrSize)))
            {
                return false;
            }
        }

        return (saved & Sse) == 0
            || WriteRange(ref cpu, s, linear + ExtendedState.Xmm0, s.Extended.Image.Slice(ExtendedState.Xmm0, XmmCount(s) * 16));
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
        if (s.Extended.Image.Slice(ExtendedState.Xmm0, XmmCount(s) * 16).ContainsAnyExcept((byte)0) || s.Extended.MxcsrValue != 0x1F80)
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
            bool inUse = 1UL << index == ProtectionKeyState
                ? s.Pkru != 0 : s.Extended.Image.Slice(offset, Accessible(s, index, size)).ContainsAnyExcept((byte)0);
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
            return NotExecutable(s, ExecutionRefusal.SupervisorState);
        }

        int total = AreaSize(ref cpu, compact ? layout & ~Compacted : requested & present, compact);
        if (!XsaveArea(s, in i, total, out _) || !ReadRange(ref cpu, s, linear, area[..total]))
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
                int length = Accessible(s, index, size);
                RestoreComponent(s, index, s.Extended.Image.Slice(offset, length), (present >> index & 1) != 0 ? area.Slice(place, length) : []);
            }
        }

        return true;
    }

    private static void RestoreLegacy(CpuState s, ReadOnlySpan<byte> area, ulong requested, ulong present, bool wide)
    {
        int registers = XmmCount(s);
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
    private static void RestoreComponent(CpuState s, int index, Span<byte> to, ReadOnlySpan<byte> from)
    {
        if (1UL << index == ProtectionKeyState)
        {
            s.Pkru = from.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(from) : 0;
            s.FlushTranslations();
        }
        else if (from.IsEmpty)
        {
            to.Clear();
        }
        else
        {
            from.CopyTo(to);
        }
    }

    /// <summary>
    /// The part of a component that instructions reach: outside 64-bit mode registers 8 and above are neither saved nor restored (volume 1,
    /// chapter on the XSAVE feature set, AVX and AVX-512 state).
    /// </summary>
    private static int Accessible(CpuState s, int index, int size) => s.CodeSize == CodeSize.Bits64 ? size : index switch
    {
        2 => Math.Min(size, 8 * 16),
        6 => Math.Min(size, 8 * 32),
        7 => 0,
        _ => size,
    };

    /// <summary>How many XMM registers there are in this mode.</summary>
    private static int XmmCount(CpuState s) => s.CodeSize == CodeSize.Bits64 ? 16 : 8;

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
}
