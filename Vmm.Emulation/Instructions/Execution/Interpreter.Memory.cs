// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Linear and segmented memory.</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong PageMask = 0xFFF;

    /// <summary>The linear address of an operand after the checks of its segment (volume 3, logical and linear addresses, limit checking and type checking).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Linear(CpuState s, CodeSize mode, int segment, ulong offset, int size, bool write, out ulong linear)
    {
        if (mode != CodeSize.Bits64 && TryPlain(s, segment, offset, size, out linear))
        {
            return true;
        }

        return LinearChecked(s, mode, segment, offset, size, write, out linear);
    }

    /// <summary>A present, writable data segment that grows up: the common case outside 64-bit mode in one comparison.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryPlain(CpuState s, int segment, ulong offset, int size, out ulong linear)
    {
        const uint Plain = SegmentState.CodeOrData | SegmentState.PresentBit | SegmentState.TypeWritable;
        const uint PlainMask = Plain | SegmentState.UnusableBit | SegmentState.TypeCode | SegmentState.TypeExpandDown;
        ref SegmentState state = ref s.Segments[segment];
        linear = (uint)(offset + state.Base);
        return (state.Access & PlainMask) == Plain && offset + (uint)size - 1 <= state.Limit;
    }

    private static bool LinearChecked(CpuState s, CodeSize mode, int segment, ulong offset, int size, bool write, out ulong linear)
    {
        ref SegmentState state = ref s.Segments[segment];
        byte vector = segment == (int)SegmentName.Ss ? Vector.StackFault : Vector.GeneralProtection;
        if (mode == CodeSize.Bits64)
        {
            linear = segment >= (int)SegmentName.Fs ? offset + state.Base : offset;
            return IsCanonical(s, linear) && IsCanonical(s, linear + (uint)size - 1) || Fault(s, vector, 0);
        }

        linear = (uint)(offset + state.Base);
        return IsPermitted(s, in state, offset, offset + (uint)size - 1, write) || Fault(s, vector, 0);
    }

    private static bool IsPermitted(CpuState s, in SegmentState state, ulong first, ulong last, bool write)
    {
        if (!s.IsProtected || s.IsVirtual8086)
        {
            return last <= state.Limit;
        }

        if (state.IsUnusable || (state.Access & SegmentState.PresentBit) == 0)
        {
            return false;
        }

        bool code = (state.Access & SegmentState.TypeCode) != 0;
        bool readableOrWritable = (state.Access & SegmentState.TypeWritable) != 0;
        if (write ? code || !readableOrWritable : code && !readableOrWritable)
        {
            return false;
        }

        if (!code && (state.Access & SegmentState.TypeExpandDown) != 0)
        {
            return first > state.Limit && last <= (state.IsBig ? uint.MaxValue : 0xFFFF);
        }

        return last <= state.Limit;
    }

    private static bool IsCanonical(CpuState s, ulong linear)
    {
        int shift = (s.Cr4 & 1UL << 12) != 0 ? 7 : 16;
        return (ulong)((long)(linear << shift) >> shift) == linear;
    }

    /// <summary>#AC for user-mode data that is not aligned (volume 3, exception and interrupt reference).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsAligned(CpuState s, ulong linear, int size)
        => (linear & (uint)(size - 1)) == 0 || IsMisalignmentPermitted(s);

    private static bool IsMisalignmentPermitted(CpuState s)
        => (s.Rflags & FlagBits.AlignmentCheck) == 0 || (s.Cr0 & 1UL << 18) == 0 || s.Cpl != 3
            || Fault(s, Vector.AlignmentCheck, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Translate(ref TCpu cpu, CpuState s, ulong linear, int kind, out ulong physical, bool isImplicit = false)
    {
        if (!TCpu.HasStableMemory && (s.Cr0 & Cr0Pg) == 0)
        {
            physical = linear;
            return true;
        }

        ulong rights = Rights(s, isImplicit);
        ref TranslationEntry entry = ref s.Translations.Entry(kind, linear);
        if (entry.Tag == (linear & ~PageMask | rights))
        {
            physical = entry.Page | linear & PageMask;
            return true;
        }

        return TranslateNew(ref cpu, s, linear, kind, rights, out physical);
    }

    /// <summary>What a translation depends on beside the tables: valid 1, user 2, implicit 4, RFLAGS.AC 8, paging 16, the address space above.</summary>
    private static ulong Rights(CpuState s, bool isImplicit)
        => (isImplicit ? 5UL : 1UL | (s.Cpl == 3 ? 2UL : 0) | (s.ControlFlags & FlagBits.AlignmentCheck) >> 15) | (s.Cr0 & Cr0Pg) >> 27 | s.AddressSpace;

    private static bool TranslateNew(ref TCpu cpu, CpuState s, ulong linear, int kind, ulong rights, out ulong physical)
    {
        if ((s.Cr0 & Cr0Pg) == 0)
        {
            physical = linear;
            Remember(ref cpu, s, linear, kind, rights, new(TranslationStatus.Mapped, physical, 0, 12));
            return true;
        }

        // Operands were checked with their segment; code that runs into the hole, and table bases, meet it here.
        if (s.IsLongMode && !IsCanonical(s, linear))
        {
            physical = 0;
            return GeneralProtection(s);
        }

        PageAccess access = (PageAccess)(kind == TranslationCache.Write ? 1 : kind == TranslationCache.Fetch ? 2 : 0)
            | ((rights & 2) != 0 ? PageAccess.User : 0) | ((rights & 4) != 0 ? PageAccess.Implicit : 0);
        ExecutionPhase phase = s.Begin(ExecutionPhase.Walk);
        Translation result = PageWalker.Translate(ref cpu, s.Paging, linear, access);
        s.Begin(phase);
        physical = result.PhysicalAddress;
        switch (result.Status)
        {
            case TranslationStatus.Mapped:
                Remember(ref cpu, s, linear, kind, rights, in result);
                return true;
            case TranslationStatus.PageFault:
                s.Outcome = new(ExecutionStatus.Fault, Vector.PageFault, true, result.ErrorCode, linear);
                return false;
            default:
                s.Outcome = new(ExecutionStatus.Refused);
                return false;
        }
    }

    /// <summary>Pages with code have no host address for writes: each has to be noticed.</summary>
    private static void Remember(ref TCpu cpu, CpuState s, ulong linear, int kind, ulong rights, in Translation found)
    {
        ref TranslationEntry entry = ref s.Translations.Entry(kind, linear);
        linear &= ~PageMask;
        entry = new(linear | rights, found.PhysicalAddress, found.PageBits, found.IsGlobal);
        ulong page = entry.Page;
        if (!TCpu.HasStableMemory || kind == TranslationCache.Fetch || kind == TranslationCache.Write && s.CodePages.Contains(page))
        {
            return;
        }

        ref byte ram = ref cpu.Ram(page, 0x1000, kind == TranslationCache.Write);
        if (!Unsafe.IsNullRef(ref ram))
        {
            entry.HostTag = entry.Tag;
            entry.Host = Unsafe.ByteOffset(ref cpu.MemoryBase, ref ram) - (nint)linear;
        }
    }

    /// <summary>RAM was written: code that was decoded from it is looked at again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Written(CpuState s, ulong physical, int length)
    {
        if (s.CodePages.Overlaps(physical, length))
        {
            s.CodeChanged();
        }
    }

    private static bool ReadLinear<T>(ref TCpu cpu, CpuState s, ulong linear, out T value, bool isImplicit = false)
        where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        Unsafe.SkipInit(out value);
        Accessed(s, linear, size, write: false);
        if ((linear & PageMask) + (uint)size <= 0x1000)
        {
            if (!Translate(ref cpu, s, linear, TranslationCache.Read, out ulong physical, isImplicit))
            {
                return false;
            }

            ref byte ram = ref cpu.Ram(physical, size, write: false);
            if (!Unsafe.IsNullRef(ref ram))
            {
                value = Unsafe.ReadUnaligned<T>(ref ram);
                return true;
            }

            return Served(s, cpu.ReadDevice(physical, MemoryMarshal.AsBytes(new Span<T>(ref value))));
        }

        return ReadCrossing(ref cpu, s, linear, MemoryMarshal.AsBytes(new Span<T>(ref value)), isImplicit);
    }

    /// <summary>Reads any number of bytes up to a page; both pages are translated before the first is read.</summary>
    private static bool ReadBytes(ref TCpu cpu, CpuState s, ulong linear, Span<byte> data, bool isImplicit = false)
    {
        Accessed(s, linear, data.Length, write: false);
        if ((linear & PageMask) + (uint)data.Length > 0x1000)
        {
            return ReadCrossing(ref cpu, s, linear, data, isImplicit);
        }

        return Translate(ref cpu, s, linear, TranslationCache.Read, out ulong physical, isImplicit)
            && ReadPhysical(ref cpu, s, physical, data);
    }

    private static bool ReadCrossing(ref TCpu cpu, CpuState s, ulong linear, Span<byte> data, bool isImplicit)
    {
        int first = (int)(0x1000 - (linear & PageMask));
        return Translate(ref cpu, s, linear, TranslationCache.Read, out ulong low, isImplicit)
            && Translate(ref cpu, s, NextPage(s, linear, first), TranslationCache.Read, out ulong high, isImplicit)
            && ReadPhysical(ref cpu, s, low, data[..first])
            && ReadPhysical(ref cpu, s, high, data[first..]);
    }

    private static bool ReadPhysical(ref TCpu cpu, CpuState s, ulong physical, Span<byte> data)
    {
        ref byte ram = ref cpu.Ram(physical, data.Length, write: false);
        if (Unsafe.IsNullRef(ref ram))
        {
            return ReadDevice(ref cpu, s, physical, data);
        }

        MemoryMarshal.CreateReadOnlySpan(ref ram, data.Length).CopyTo(data);
        return true;
    }

    /// <summary>Devices see accesses of at most eight bytes, as they would on a bus.</summary>
    private static bool ReadDevice(ref TCpu cpu, CpuState s, ulong physical, Span<byte> data)
    {
        for (int at = 0; at < data.Length; at += 8)
        {
            if (!Served(s, cpu.ReadDevice(physical + (uint)at, data.Slice(at, Math.Min(8, data.Length - at)))))
            {
                return false;
            }
        }

        return true;
    }

    private static bool WriteLinear<T>(ref TCpu cpu, CpuState s, ulong linear, T value, bool isImplicit = false)
        where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        Accessed(s, linear, size, write: true);
        if ((linear & PageMask) + (uint)size <= 0x1000)
        {
            if (!Translate(ref cpu, s, linear, TranslationCache.Write, out ulong physical, isImplicit))
            {
                return false;
            }

            ref byte ram = ref cpu.Ram(physical, size, write: true);
            if (!Unsafe.IsNullRef(ref ram))
            {
                Unsafe.WriteUnaligned(ref ram, value);
                Written(s, physical, size);
                return true;
            }

            return Served(s, cpu.WriteDevice(physical, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value))));
        }

        return WriteCrossing(ref cpu, s, linear, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), isImplicit);
    }

    private static bool WriteBytes(ref TCpu cpu, CpuState s, ulong linear, ReadOnlySpan<byte> data)
    {
        Accessed(s, linear, data.Length, write: true);
        if ((linear & PageMask) + (uint)data.Length > 0x1000)
        {
            return WriteCrossing(ref cpu, s, linear, data, isImplicit: false);
        }

        return Translate(ref cpu, s, linear, TranslationCache.Write, out ulong physical) && WritePhysical(ref cpu, s, physical, data);
    }

    private static bool WriteCrossing(ref TCpu cpu, CpuState s, ulong linear, ReadOnlySpan<byte> data, bool isImplicit)
    {
        int first = (int)(0x1000 - (linear & PageMask));
        return Translate(ref cpu, s, linear, TranslationCache.Write, out ulong low, isImplicit)
            && Translate(ref cpu, s, NextPage(s, linear, first), TranslationCache.Write, out ulong high, isImplicit)
            && WritePhysical(ref cpu, s, low, data[..first])
            && WritePhysical(ref cpu, s, high, data[first..]);
    }

    private static bool WritePhysical(ref TCpu cpu, CpuState s, ulong physical, ReadOnlySpan<byte> data)
    {
        ref byte ram = ref cpu.Ram(physical, data.Length, write: true);
        if (!Unsafe.IsNullRef(ref ram))
        {
            data.CopyTo(MemoryMarshal.CreateSpan(ref ram, data.Length));
            Written(s, physical, data.Length);
            return true;
        }

        for (int at = 0; at < data.Length; at += 8)
        {
            if (!Served(s, cpu.WriteDevice(physical + (uint)at, data.Slice(at, Math.Min(8, data.Length - at)))))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Checks that a range may be written, page by page, without writing: for instructions that store more than one item.</summary>
    private static bool ProbeWrite(ref TCpu cpu, CpuState s, ulong linear, int size, bool isImplicit = false)
    {
        int first = (int)Math.Min((uint)size, 0x1000 - (linear & PageMask));
        return Translate(ref cpu, s, linear, TranslationCache.Write, out _, isImplicit)
            && (first == size || Translate(ref cpu, s, NextPage(s, linear, first), TranslationCache.Write, out _, isImplicit));
    }

    /// <summary>Linear addresses wrap at 4 GiB outside 64-bit mode.</summary>
    private static ulong NextPage(CpuState s, ulong linear, int first)
        => s.CodeSize == CodeSize.Bits64 ? linear + (uint)first : (uint)(linear + (uint)first);

    private static bool Served(CpuState s, BusOutcome outcome)
    {
        switch (outcome)
        {
            case BusOutcome.Done:
                return true;
            case BusOutcome.Pending:
                s.Outcome = new(ExecutionStatus.Pending);
                return false;
            case BusOutcome.GeneralProtection:
                return Fault(s, Vector.GeneralProtection, 0);
            default:
                s.Outcome = new(ExecutionStatus.Refused);
                return false;
        }
    }

    private static bool Fault(CpuState s, byte vector)
    {
        s.Outcome = ExecutionResult.Fault(vector);
        return false;
    }

    private static bool Fault(CpuState s, byte vector, uint errorCode)
    {
        s.Outcome = ExecutionResult.Fault(vector, errorCode);
        return false;
    }

    private static bool GeneralProtection(CpuState s, uint errorCode = 0) => Fault(s, Vector.GeneralProtection, errorCode);

    private static bool Undefined(CpuState s) => Fault(s, Vector.InvalidOpcode);

    private static bool NotExecutable(CpuState s, ExecutionRefusal refusal = ExecutionRefusal.Instruction)
    {
        s.Refusal = refusal;
        s.Outcome = new(ExecutionStatus.NotExecutable);
        return false;
    }
}
