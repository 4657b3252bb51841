// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS with their repeat prefixes.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>
    /// What one repeated instruction may do before it counts as executed with elements left: an element is 1, a run of them within a page
    /// as much as takes the time (<see cref="Effort"/>).
    /// </summary>
    private const long RepeatBatch = 4096;

    /// <summary>
    /// What all repeated instructions together may do before a run ends, so that the caller looks at what else is due after about the time
    /// that a batch of other instructions takes.
    /// </summary>
    private const long RepeatsPerRun = 16384;

    private static bool String(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool repeats = (i.Prefixes & (Prefixes.Rep | Prefixes.Repne)) != 0;
        if (!repeats)
        {
            return StringElement(ref cpu, s, in i);
        }

        bool completed = Repeat(ref cpu, s, in i);
        if (s.RepeatEffort >= RepeatsPerRun)
        {
            s.EndsRun = true;
            s.BlockEnd = 0;
        }

        return completed;
    }

    private static bool Repeat(ref TCpu cpu, CpuState s, in Instruction i)
    {
        // A single-step trap comes behind each element (volume 3, single-step exception).
        ulong mask = Mask(i.AddressSize);
        bool traps = (s.Rflags & FlagBits.Trap) != 0;
        long end = s.RepeatEffort + (traps ? 1 : RepeatBatch);
        bool compares = i.Operation is Operation.Cmps or Operation.Scas;
        if (compares)
        {
            s.Comparison.Begin(s);
        }

        while (s.RepeatEffort < end)
        {
            if ((s.General[Rcx] & mask) == 0)
            {
                return true;
            }

            long bulk = !traps && (i.Operation is Operation.Movs or Operation.Stos) ? Bulk(ref cpu, s, in i) : 0;
            if (bulk > 0)
            {
                s.RepeatEffort += Effort(bulk, i.OperandSize);
                SetSized(s, Rcx, (s.General[Rcx] & mask) - (ulong)bulk, i.AddressSize);
                continue;
            }

            if (compares && !traps)
            {
                long skipped = Skip(ref cpu, s, in i);
                s.RepeatEffort += Effort(skipped, i.OperandSize);
                SetSized(s, Rcx, (s.General[Rcx] & mask) - (ulong)skipped, i.AddressSize);
            }

            s.RepeatEffort++;
            if (!StringElement(ref cpu, s, in i))
            {
                // The elements before this one are done; registers say so, and the fault is this element's.
                if (compares && !s.IsAmd)
                {
                    s.Comparison.Stop(s);
                }

                return false;
            }

            SetSized(s, Rcx, (s.General[Rcx] & mask) - 1, i.AddressSize);
            if (TCpu.IsSupervised)
            {
                cpu.Committed();
            }

            if (compares)
            {
                bool equal = (s.Rflags & FlagBits.Zero) != 0;
                if (equal == ((i.Prefixes & Prefixes.Repne) != 0))
                {
                    return true;
                }
            }

            if (TCpu.IsSupervised && s.HasMetAny)
            {
                // Traps of breakpoints come behind the element that met them (volume 3, data memory and I/O breakpoint exceptions).
                break;
            }
        }

        if ((s.General[Rcx] & mask) != 0)
        {
            // An event between elements finds RF set (volume 3, instruction-breakpoint exception), on AMD's processors as any other instruction leaves it
            // (AMD, volume 2, RFLAGS register).
            s.NextRip = s.Rip;
            s.IsRepeating = true;
            if (!s.IsAmd)
            {
                s.Rflags |= FlagBits.Resume;
                s.KeepsResume = true;
            }

            if (compares)
            {
                s.Comparison.Leave(s);
            }
        }

        return true;
    }

    /// <summary>What elements that were done together took, in elements that are done one by one.</summary>
    private static long Effort(long elements, int size) => elements == 0 ? 0 : 8 + elements * size / 64;

    /// <summary>
    /// MOVS and STOS upwards as far as both operands stay in one page of RAM, without overlap that the element order would
    /// show. Returns the number of elements done, 0 if it has to be element by element.
    /// </summary>
    private static long Bulk(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong mask = Mask(i.AddressSize);
        ulong count = s.General[Rcx] & mask;
        int size = i.OperandSize;
        if (count < 4 || (s.Rflags & FlagBits.Direction) != 0 || (TCpu.IsSupervised && s.WatchesAccesses))
        {
            return 0;
        }

        bool moves = i.Operation == Operation.Movs;
        ulong destination = s.General[Rdi] & mask;
        ulong source = s.General[Rsi] & mask;
        CodeSize mode = s.CodeSize;
        if (!TryLinear(s, mode, (int)SegmentName.Es, destination, size, write: true, out ulong to))
        {
            return 0;
        }

        ulong room = Room(to, destination, mask);
        ulong from = 0;
        if (moves)
        {
            if (!TryLinear(s, mode, i.Segment, source, size, write: false, out from))
            {
                return 0;
            }

            room = Math.Min(room, Room(from, source, mask));
        }

        int elements = (int)Math.Min(count, room / (uint)size);
        int bytes = elements * size;
        if (elements < 4 || (to & (uint)(size - 1)) != 0
            || (from & (uint)(size - 1)) != 0 && (s.Rflags & FlagBits.AlignmentCheck) != 0 && s.Cpl == 3
            || !TryLinear(s, mode, (int)SegmentName.Es, destination, bytes, write: true, out _)
            || moves && !TryLinear(s, mode, i.Segment, source, bytes, write: false, out _)
            || !TryTranslate(ref cpu, s, to, TranslationCache.Write, out ulong toPhysical))
        {
            return 0;
        }

        if (moves)
        {
            if (!TryTranslate(ref cpu, s, from, TranslationCache.Read, out ulong fromPhysical))
            {
                return 0;
            }

            ref byte read = ref cpu.Ram(fromPhysical, bytes, write: false);
            ref byte write = ref cpu.Ram(toPhysical, bytes, write: true);
            if (Unsafe.IsNullRef(ref read) || Unsafe.IsNullRef(ref write))
            {
                return 0;
            }

            nint distance = Unsafe.ByteOffset(ref read, ref write);
            if (distance > 0 && distance < bytes)
            {
                return 0;
            }

            MemoryMarshal.CreateReadOnlySpan(ref read, bytes).CopyTo(MemoryMarshal.CreateSpan(ref write, bytes));
            Written(s, toPhysical, bytes);
            SetSized(s, Rsi, source + (uint)bytes, i.AddressSize);
        }
        else
        {
            ref byte write = ref cpu.Ram(toPhysical, bytes, write: true);
            if (Unsafe.IsNullRef(ref write))
            {
                return 0;
            }

            Written(s, toPhysical, bytes);
            Span<byte> target = MemoryMarshal.CreateSpan(ref write, bytes);
            switch (size)
            {
                case 1:
                    target.Fill((byte)s.General[Rax]);
                    break;
                case 2:
                    MemoryMarshal.Cast<byte, ushort>(target).Fill((ushort)s.General[Rax]);
                    break;
                case 4:
                    MemoryMarshal.Cast<byte, uint>(target).Fill((uint)s.General[Rax]);
                    break;
                default:
                    MemoryMarshal.Cast<byte, ulong>(target).Fill(s.General[Rax]);
                    break;
            }
        }

        SetSized(s, Rdi, destination + (uint)bytes, i.AddressSize);
        return elements;
    }

    /// <summary>Bytes from here to the end of the page, and of the address space of this address size.</summary>
    private static ulong Room(ulong linear, ulong offset, ulong mask)
        => Math.Min(0x1000 - (linear & PageMask), Math.Min(mask - offset, 0x2000) + 1);

    /// <summary>As the checks of one access, but a fault leaves nothing behind: the element that meets it reports it.</summary>
    private static bool TryLinear(CpuState s, CodeSize mode, int segment, ulong offset, int size, bool write, out ulong linear)
    {
        ExecutionResult saved = s.Outcome;
        bool permitted = Linear(s, mode, segment, offset, size, write, out linear);
        s.Outcome = saved;
        return permitted;
    }

    private static bool TryTranslate(ref TCpu cpu, CpuState s, ulong linear, int kind, out ulong physical)
    {
        ExecutionResult saved = s.Outcome;
        bool mapped = Translate(ref cpu, s, linear, kind, out physical);
        s.Outcome = saved;
        return mapped;
    }

    private static bool StringElement(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.OperandSize;
        ulong mask = Mask(i.AddressSize);
        ulong step = (s.Rflags & FlagBits.Direction) != 0 ? (ulong)-size : (ulong)size;
        ulong source = s.General[Rsi] & mask;
        ulong destination = s.General[Rdi] & mask;
        ulong value;
        ulong other;
        switch (i.Operation)
        {
            case Operation.Movs:
                if (!ReadString(ref cpu, s, i.Segment, source, size, out value) || !WriteString(ref cpu, s, destination, size, value))
                {
                    return false;
                }

                SetSized(s, Rsi, source + step, i.AddressSize);
                SetSized(s, Rdi, destination + step, i.AddressSize);
                return true;
            case Operation.Stos:
                if (!WriteString(ref cpu, s, destination, size, s.General[Rax]))
                {
                    return false;
                }

                SetSized(s, Rdi, destination + step, i.AddressSize);
                return true;
            case Operation.Lods:
                if (!ReadString(ref cpu, s, i.Segment, source, size, out value))
                {
                    return false;
                }

                SetSized(s, Rax, value, size);
                SetSized(s, Rsi, source + step, i.AddressSize);
                return true;
            case Operation.Cmps:
                if (!ReadString(ref cpu, s, i.Segment, source, size, out value)
                    || !ReadString(ref cpu, s, (int)SegmentName.Es, destination, size, out other))
                {
                    return false;
                }

                SetStatus(s, CompareSized(value, other, size));
                SetSized(s, Rsi, source + step, i.AddressSize);
                SetSized(s, Rdi, destination + step, i.AddressSize);
                return true;
            case Operation.Scas:
                if (!ReadString(ref cpu, s, (int)SegmentName.Es, destination, size, out other))
                {
                    return false;
                }

                SetStatus(s, CompareSized(s.General[Rax], other, size));
                SetSized(s, Rdi, destination + step, i.AddressSize);
                return true;
            case Operation.Ins:
                // The destination is checked before the port is read, whose side effect could not be taken back.
                if (!Linear(s, s.CodeSize, (int)SegmentName.Es, destination, size, write: true, out ulong linear)
                    || !IsAligned(s, linear, size) || !IsPortPermitted(ref cpu, s, (ushort)s.General[Rdx], size)
                    || !ProbeWrite(ref cpu, s, linear, size)
                    || !ReadPort(ref cpu, s, (ushort)s.General[Rdx], size, out value) || !WriteSized(ref cpu, s, linear, size, value))
                {
                    return false;
                }

                SetSized(s, Rdi, destination + step, i.AddressSize);
                return true;
            default:
                if (!IsPortPermitted(ref cpu, s, (ushort)s.General[Rdx], size)
                    || !ReadString(ref cpu, s, i.Segment, source, size, out value)
                    || !WritePort(ref cpu, s, (ushort)s.General[Rdx], size, value))
                {
                    return false;
                }

                SetSized(s, Rsi, source + step, i.AddressSize);
                return true;
        }
    }

    private static bool ReadString(ref TCpu cpu, CpuState s, int segment, ulong offset, int size, out ulong value)
    {
        Unsafe.SkipInit(out value);
        return Linear(s, s.CodeSize, segment, offset, size, write: false, out ulong linear)
            && IsAligned(s, linear, size) && ReadSized(ref cpu, s, linear, size, out value);
    }

    private static bool WriteString(ref TCpu cpu, CpuState s, ulong offset, int size, ulong value)
        => Linear(s, s.CodeSize, (int)SegmentName.Es, offset, size, write: true, out ulong linear)
            && IsAligned(s, linear, size) && WriteSized(ref cpu, s, linear, size, value);

    private static ulong CompareSized(ulong left, ulong right, int size)
    {
        ulong flags;
        switch (size)
        {
            case 1:
                Flags.Subtract((byte)left, (byte)right, 0, out flags);
                return flags;
            case 2:
                Flags.Subtract((ushort)left, (ushort)right, 0, out flags);
                return flags;
            case 4:
                Flags.Subtract((uint)left, (uint)right, 0, out flags);
                return flags;
            default:
                Flags.Subtract(left, right, 0, out flags);
                return flags;
        }
    }
}
