// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Registers, effective addresses, and operands that may be either.</summary>
internal static partial class Interpreter<TCpu>
{
    private const int Rax = 0;
    private const int Rcx = 1;
    private const int Rdx = 2;
    private const int Rbx = 3;
    private const int Rsp = 4;
    private const int Rbp = 5;
    private const int Rsi = 6;
    private const int Rdi = 7;

    /// <summary>
    /// The host's cache lines. A locked access across two of them is a split lock, for which Linux may end the process that makes it, or
    /// hold it up for milliseconds (Documentation/arch/x86/buslock.rst).
    /// </summary>
    private const ulong LineMask = 63;

    private static T Get<T>(CpuState s, in Instruction i, int register)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (Unsafe.SizeOf<T>() == 1 && (uint)(register - 4) < 4 && !i.HasRex)
        {
            return Truncate<T>(s.General[register - 4] >> 8);
        }

        return Truncate<T>(s.General[register & 15]);
    }

    /// <summary>Writes a register: 32 bits clear the upper half, 8 and 16 keep the rest (volume 1, section 3.4.1.1).</summary>
    private static void Set<T>(CpuState s, in Instruction i, int register, T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (Unsafe.SizeOf<T>() == 1)
        {
            if ((uint)(register - 4) < 4 && !i.HasRex)
            {
                ref ulong high = ref s.General[register - 4];
                high = high & ~0xFF00UL | Widen(value) << 8;
                return;
            }

            ref ulong low = ref s.General[register & 15];
            low = low & ~0xFFUL | Widen(value);
        }
        else if (Unsafe.SizeOf<T>() == 2)
        {
            ref ulong word = ref s.General[register & 15];
            word = word & ~0xFFFFUL | Widen(value);
        }
        else
        {
            s.General[register & 15] = Widen(value);
        }
    }

    /// <summary>Writes a register by operand size in bytes.</summary>
    private static void SetSized(CpuState s, int register, ulong value, int size)
    {
        ref ulong at = ref s.General[register & 15];
        at = size switch
        {
            1 => at & ~0xFFUL | (byte)value,
            2 => at & ~0xFFFFUL | (ushort)value,
            4 => (uint)value,
            _ => value,
        };
    }

    private static ulong Mask(int size) => size == 8 ? ulong.MaxValue : (1UL << size * 8) - 1;

    /// <summary>The offset that ModRM, SIB and displacement give, cut to the address size.</summary>
    internal static bool TryGetOperandAddress(CpuState s, in Instruction i, out ulong linear)
    {
        linear = 0;
        bool isBitString = i.Operation is Operation.Bt or Operation.Bts or Operation.Btr or Operation.Btc && i.Pattern != Pattern.EI;
        bool isOffset = i.Pattern is Pattern.AO or Pattern.OA;
        if (!i.HasMemoryOperand && !isOffset || isBitString)
        {
            return false;
        }

        ulong segment = i.CodeSize != CodeSize.Bits64 || i.Segment >= (int)SegmentName.Fs ? s.Segments[i.Segment].Base : 0;
        linear = segment + (isOffset ? i.Immediate : Effective(s, in i));
        linear = i.CodeSize == CodeSize.Bits64 ? linear : (uint)linear;
        return true;
    }

    private static ulong Effective(CpuState s, in Instruction i)
    {
        ulong offset = (ulong)i.Displacement;
        int register = i.Base;
        if (register < 16)
        {
            offset += s.General[register];
        }
        else if (register == Instruction.RipRegister)
        {
            offset += s.NextRip;
        }

        register = i.Index;
        if (register < 16)
        {
            offset += s.General[register] << i.Scale;
        }

        return i.AddressSizeLog2 switch
        {
            3 => offset,
            2 => (uint)offset,
            _ => (ushort)offset,
        };
    }

    /// <summary>The checked linear address of the ModRM memory operand.</summary>
    private static bool Address(CpuState s, in Instruction i, int size, bool write, out ulong linear)
        => Linear(s, i.CodeSize, i.Segment, Effective(s, in i), size, write, out linear) && IsAligned(s, linear, size);

    /// <summary>The same without the alignment check: for operands that are not naturally aligned items.</summary>
    private static bool AddressUnaligned(CpuState s, in Instruction i, int size, bool write, out ulong linear)
        => Linear(s, i.CodeSize, i.Segment, Effective(s, in i), size, write, out linear);

    private static bool ReadE<T>(ref TCpu cpu, CpuState s, in Instruction i, out T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!i.HasMemoryOperand)
        {
            value = Get<T>(s, in i, i.Rm);
            return true;
        }

        Unsafe.SkipInit(out value);
        return Address(s, in i, Unsafe.SizeOf<T>(), write: false, out ulong linear) && ReadLinear(ref cpu, s, linear, out value);
    }

    private static bool WriteE<T>(ref TCpu cpu, CpuState s, in Instruction i, T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!i.HasMemoryOperand)
        {
            Set(s, in i, i.Rm, value);
            return true;
        }

        return Address(s, in i, Unsafe.SizeOf<T>(), write: true, out ulong linear) && WriteLinear(ref cpu, s, linear, value);
    }

    /// <summary>
    /// Reads an operand that is going to be written: write permission is checked first, as the processor does. With LOCK the
    /// write is a compare-exchange that may have to be repeated.
    /// </summary>
    private static bool BeginUpdate<T>(ref TCpu cpu, CpuState s, in Instruction i, out Update<T> update, out T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        update = default;
        if (!i.HasMemoryOperand)
        {
            value = Get<T>(s, in i, i.Rm);
            return true;
        }

        Unsafe.SkipInit(out value);
        return Address(s, in i, Unsafe.SizeOf<T>(), write: true, out ulong linear)
            && BeginUpdateAt(ref cpu, s, linear, i.HasLock, out update, out value);
    }

    private static bool BeginUpdateAt<T>(ref TCpu cpu, CpuState s, ulong linear, bool isLocked, out Update<T> update, out T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        update = default;
        update.Linear = linear;
        update.IsMemory = true;
        int size = Unsafe.SizeOf<T>();
        Unsafe.SkipInit(out value);
        if ((linear & PageMask) + (uint)size > 0x1000 || isLocked && (linear & LineMask) + (uint)size > LineMask + 1)
        {
            if (!ProbeWrite(ref cpu, s, linear, size))
            {
                return false;
            }

            if (isLocked)
            {
                cpu.BeginExclusive();
                update.IsExclusive = true;
            }

            if (!ReadLinear(ref cpu, s, linear, out value))
            {
                if (isLocked)
                {
                    cpu.EndExclusive();
                }

                return false;
            }

            return true;
        }

        if (!Translate(ref cpu, s, linear, TranslationCache.Write, out ulong physical))
        {
            return false;
        }

        Accessed(s, linear, size, write: true);
        update.Physical = physical;
        ref byte ram = ref cpu.Ram(physical, size, write: true);
        if (Unsafe.IsNullRef(ref ram))
        {
            // A device gets a read and a write. Its bus has no lock that an emulator could take.
            return ReadLinear(ref cpu, s, linear, out value);
        }

        update.IsRam = true;
        update.IsLocked = isLocked;
        value = Unsafe.ReadUnaligned<T>(ref ram);
        return true;
    }

    /// <summary>
    /// Writes back. False without an outcome means that a locked operand changed: <paramref name="value"/> is then what it
    /// holds now, and the caller computes again.
    /// </summary>
    private static bool EndUpdate<T>(ref TCpu cpu, CpuState s, in Instruction i, ref Update<T> update, T result, ref T value, out bool retry)
        where T : unmanaged, IBinaryInteger<T>
    {
        retry = false;
        if (!update.IsMemory)
        {
            Set(s, in i, i.Rm, result);
            return true;
        }

        if (!update.IsRam)
        {
            bool written = WriteLinear(ref cpu, s, update.Linear, result);
            if (update.IsExclusive)
            {
                cpu.EndExclusive();
            }

            return written;
        }

        Written(s, update.Physical, Unsafe.SizeOf<T>());
        ref byte ram = ref cpu.Ram(update.Physical, Unsafe.SizeOf<T>(), write: true);
        if (Unsafe.IsNullRef(ref ram))
        {
            s.Outcome = new(ExecutionStatus.Refused);
            return false;
        }

        if (!update.IsLocked)
        {
            Unsafe.WriteUnaligned(ref ram, result);
            return true;
        }

        T seen = CompareExchange(ref ram, result, value);
        retry = seen != value;
        value = seen;
        return !retry;
    }

    // SAFETY: the processor's LOCK CMPXCHG, which Interlocked compiles to, is atomic at any alignment within a cache line.
    private static T CompareExchange<T>(ref byte at, T desired, T expected)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (typeof(T) == typeof(byte))
        {
            return Truncate<T>(Interlocked.CompareExchange(ref at, (byte)Widen(desired), (byte)Widen(expected)));
        }

        if (typeof(T) == typeof(ushort))
        {
            return Truncate<T>(Interlocked.CompareExchange(ref Unsafe.As<byte, ushort>(ref at), (ushort)Widen(desired), (ushort)Widen(expected)));
        }

        if (typeof(T) == typeof(uint))
        {
            return Truncate<T>(Interlocked.CompareExchange(ref Unsafe.As<byte, uint>(ref at), (uint)Widen(desired), (uint)Widen(expected)));
        }

        return Truncate<T>(Interlocked.CompareExchange(ref Unsafe.As<byte, ulong>(ref at), Widen(desired), Widen(expected)));
    }

    /// <summary>An operand between its read and its write.</summary>
    private struct Update<T>
        where T : unmanaged, IBinaryInteger<T>
    {
        internal ulong Linear;
        internal ulong Physical;
        internal bool IsMemory;
        internal bool IsRam;
        internal bool IsLocked;
        internal bool IsExclusive;
    }
}
