// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Repeated CMPS and SCAS, as far as their elements decide nothing.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>
    /// Goes over the elements of a repeated CMPS or SCAS that would only be followed by the next one, upwards and as far as the operands stay
    /// in one page of RAM each. The element behind them is of the same pages, so that it completes and sets the flags.
    /// </summary>
    /// <returns>How many elements were gone over; the address registers are behind them, the count is the caller's.</returns>
    private static long Skip(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool compares = i.Operation == Operation.Cmps;
        bool untilEqual = (i.Prefixes & Prefixes.Repne) != 0;
        ulong mask = Mask(i.AddressSize);
        ulong count = s.General[Rcx] & mask;
        if (count < 4 || compares && untilEqual || (s.Rflags & FlagBits.Direction) != 0 || (TCpu.IsSupervised && s.WatchesAccesses))
        {
            return 0;
        }

        ulong destination = s.General[Rdi] & mask;
        ReadOnlySpan<byte> second = Ahead(ref cpu, s, in i, (int)SegmentName.Es, destination, count);
        if (!compares)
        {
            long found = Search(second, s.General[Rax], i.OperandSize, untilEqual);
            SetSized(s, Rdi, destination + (ulong)found * (uint)i.OperandSize, i.AddressSize);
            return found;
        }

        ulong source = s.General[Rsi] & mask;
        ReadOnlySpan<byte> first = Ahead(ref cpu, s, in i, i.Segment, source, count);
        int length = Math.Min(first.Length, second.Length);
        int same = first[..length].CommonPrefixLength(second[..length]) / i.OperandSize;
        long skipped = Math.Max(0, Math.Min(same, length / i.OperandSize - 1));
        ulong bytes = (ulong)skipped * (uint)i.OperandSize;
        SetSized(s, Rsi, source + bytes, i.AddressSize);
        SetSized(s, Rdi, destination + bytes, i.AddressSize);
        return skipped;
    }

    /// <summary>Whole elements from here to the end of the page, at most as many as there are; empty where it takes more than a look.</summary>
    private static ReadOnlySpan<byte> Ahead(ref TCpu cpu, CpuState s, in Instruction i, int segment, ulong offset, ulong count)
    {
        CodeSize mode = s.CodeSize;
        int size = i.OperandSize;
        if (!TryLinear(s, mode, segment, offset, size, write: false, out ulong linear)
            || (linear & (uint)(size - 1)) != 0 && (s.Rflags & FlagBits.AlignmentCheck) != 0 && s.Cpl == 3)
        {
            return default;
        }

        int elements = (int)Math.Min(count, Room(linear, offset, Mask(i.AddressSize)) / (uint)size);
        int bytes = elements * size;
        if (elements < 2
            || !TryLinear(s, mode, segment, offset, bytes, write: false, out _)
            || !TryTranslate(ref cpu, s, linear, TranslationCache.Read, out ulong physical))
        {
            return default;
        }

        ref byte ram = ref cpu.Ram(physical, bytes, write: false);
        return Unsafe.IsNullRef(ref ram) ? default : MemoryMarshal.CreateReadOnlySpan(ref ram, bytes);
    }

    /// <summary>The first element that ends the search, or the last there is.</summary>
    private static long Search(ReadOnlySpan<byte> bytes, ulong value, int size, bool untilEqual) => size switch
    {
        1 => Search(bytes, (byte)value, untilEqual),
        2 => Search(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)value, untilEqual),
        4 => Search(MemoryMarshal.Cast<byte, uint>(bytes), (uint)value, untilEqual),
        _ => Search(MemoryMarshal.Cast<byte, ulong>(bytes), value, untilEqual),
    };

    private static long Search<T>(ReadOnlySpan<T> elements, T value, bool untilEqual)
        where T : unmanaged, IEquatable<T>
    {
        int found = untilEqual ? elements.IndexOf(value) : elements.IndexOfAnyExcept(value);
        return found >= 0 ? found : Math.Max(0, elements.Length - 1);
    }
}
