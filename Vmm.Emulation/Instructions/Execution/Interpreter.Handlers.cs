// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// What executes an instruction of a block: chosen once, when the block is decoded. A handler is the same generic code as
/// <see cref="Dispatch"/> runs, compiled for one operation, width and kind of operands; whatever is not the common case (a miss of
/// the translation cache, a device, a fault) it leaves to <see cref="Dispatch"/>, from the beginning.
/// </summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>The fallback of a handler: the whole instruction in the general way.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool General(ref TCpu cpu, CpuState s, in MicroOp op)
    {
        s.Rip = s.NextRip - op.Length & s.CodeMask;
        return Dispatch(ref cpu, s, in op.Instruction);
    }

    /// <summary>The byte in host memory behind a linear address, or a null reference where it takes more than a look.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte Host(ref TCpu cpu, CpuState s, TranslationEntry[] entries, ulong linear, int size)
    {
        // SAFETY: the index is masked to the table's length. The tag of the last byte's page differs where an access crosses pages.
        ref TranslationEntry entry = ref Unsafe.Add(
            ref MemoryMarshal.GetArrayDataReference(entries), (nint)(linear >> 12 & (TranslationCache.Size - 1)));
        if (!TCpu.HasStableMemory || entry.HostTag != (linear + (uint)(size - 1) & ~PageMask | s.DataRights))
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref Unsafe.AddByteOffset(ref cpu.MemoryBase, entry.Host + (nint)linear);
    }

    /// <summary>The ModRM operand in host memory, or a null reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte Operand<T, TAddressing>(ref TCpu cpu, CpuState s, in Instruction i, bool write)
        where T : unmanaged
        where TAddressing : struct, IAddressing
    {
        if (!TAddressing.TryGetLinear(s, in i, Unsafe.SizeOf<T>(), out ulong linear))
        {
            return ref Unsafe.NullRef<byte>();
        }

        return ref Host(ref cpu, s, write ? s.WriteEntries : s.ReadEntries, linear, Unsafe.SizeOf<T>());
    }

    /// <summary>Reads a register without the second bytes of the first four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Low<T>(CpuState s, int register)
        where T : unmanaged, IBinaryInteger<T>
        => Truncate<T>(s.Register(register));

    /// <summary>Writes a register as <see cref="Set{T}"/> does, without the second bytes of the first four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetLow<T>(CpuState s, int register, T value)
        where T : unmanaged, IBinaryInteger<T>
    {
        ref ulong at = ref s.Register(register);
        if (Unsafe.SizeOf<T>() >= 4)
        {
            at = Widen(value);
        }
        else
        {
            // Not a narrow store, which a wider load of the register would have to wait for.
            at = at & ~Widen(T.AllBitsSet) | Widen(value);
        }
    }

    /// <summary>An instruction of a block.</summary>
    internal struct MicroOp
    {
        internal Handler Handler;
        internal Instruction Instruction;
        internal uint Length;

        /// <summary>The register that is written, and the one that is read with it.</summary>
        internal byte Destination;
        internal byte Source;
    }

    /// <summary>
    /// Executes one kind of instruction. <see cref="CpuState.NextRip"/> is behind it; false means what it means to
    /// <see cref="Dispatch"/>.
    /// </summary>
    internal abstract class Handler
    {
        internal abstract bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op);
    }

    /// <summary>Instructions that change general registers, flags and memory only, in the general way.</summary>
    private sealed class GeneralHandler : Handler
    {
        internal static readonly Handler Instance = new GeneralHandler();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op) => General(ref cpu, s, in op);
    }

    /// <summary>x87, MMX, SSE and AVX instructions, in the general way of those.</summary>
    private sealed class VectorHandler : Handler
    {
        internal static readonly Handler Instance = new VectorHandler();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            s.Rip = s.NextRip - op.Length & s.CodeMask;
            return DispatchVector(ref cpu, s, in op.Instruction);
        }
    }

    /// <summary>Instructions that may change how the next one is found or executed: they end a block.</summary>
    private sealed class BoundaryHandler : Handler
    {
        internal static readonly Handler Instance = new BoundaryHandler();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            s.NextShadow = InterruptShadow.None;
            s.KeepsResume = false;
            if (!General(ref cpu, s, in op))
            {
                return false;
            }

            s.Shadow = s.NextShadow;
            if ((s.ControlFlags & FlagBits.Resume) != 0 && !s.KeepsResume)
            {
                s.Rflags &= ~FlagBits.Resume;
            }

            if (IsSerializing(op.Instruction.Operation))
            {
                s.CodeEpoch++;
            }

            Refresh(s);
            return true;
        }
    }

    /// <summary>How the address of a ModRM operand is computed. False leaves it to the general way.</summary>
    private interface IAddressing
    {
        static abstract bool TryGetLinear(CpuState s, in Instruction i, int size, out ulong linear);
    }

    /// <summary>64-bit mode, 64-bit addresses, a segment without a base.</summary>
    private readonly struct Flat64 : IAddressing
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGetLinear(CpuState s, in Instruction i, int size, out ulong linear)
        {
            linear = (ulong)i.Displacement + s.Register(i.Base) + (s.Register(i.Index) << i.Scale);
            return true;
        }
    }

    /// <summary>64-bit mode, 64-bit addresses, FS or GS.</summary>
    private readonly struct Based64 : IAddressing
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGetLinear(CpuState s, in Instruction i, int size, out ulong linear)
        {
            _ = Flat64.TryGetLinear(s, in i, size, out linear);
            linear += s.Segments[i.Segment].Base;
            return true;
        }
    }

    /// <summary>32-bit code and addresses, a plain data segment.</summary>
    private readonly struct Segmented32 : IAddressing
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGetLinear(CpuState s, in Instruction i, int size, out ulong linear)
        {
            _ = Flat64.TryGetLinear(s, in i, size, out ulong offset);
            return TryPlain(s, i.Segment, (uint)offset, size, out linear);
        }
    }
}
