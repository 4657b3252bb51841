// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

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
        internal byte Length;

        /// <summary>The register that is written, or the only one.</summary>
        internal byte Destination;

        /// <summary>The register that is read, or the count of a shift.</summary>
        internal byte Source;

        /// <summary>Of a block's first: how often it is still executed before it is translated; 0 when it will not be.</summary>
        internal int Heat;
    }

    /// <summary>
    /// Executes one kind of instruction. <see cref="CpuState.NextRip"/> is behind it; false means what it means to
    /// <see cref="Dispatch"/>.
    /// </summary>
    internal abstract class Handler
    {
        internal abstract bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op);

        /// <summary>What it does with the status flags; by default all that it could.</summary>
        internal virtual FlagUse FlagUse => FlagUse.Reads;

        /// <summary>Writes the instruction into a block's translation; by default a call of <see cref="Execute"/>.</summary>
        internal virtual void Translate(BlockWriter writer, in MicroOp op) => writer.General();
    }

    /// <summary>An instruction that works on registers and status flags only, and always completes.</summary>
    private interface IRegisterBody
    {
        static abstract FlagUse FlagUse { get; }

        /// <summary>Whether the constant is the opcode, which holds a condition, and not the immediate.</summary>
        static abstract bool TakesOpcode { get; }

        /// <summary>Executes. Without <paramref name="keepsFlags"/> nobody will look at the status flags that it leaves.</summary>
        static abstract void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags);
    }

    /// <summary>An instruction with an operand in memory that the host address was found of: nothing can keep it from completing.</summary>
    private interface IMemoryBody
    {
        static abstract FlagUse FlagUse { get; }

        /// <summary>The operand's bytes.</summary>
        static abstract int Size { get; }

        /// <summary>Whether the operand is written.</summary>
        static abstract bool Writes { get; }

        /// <inheritdoc cref="IRegisterBody.Execute"/>
        static abstract void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags);
    }

    /// <summary>A transfer, or a push or pop. False, with nothing done, leaves it to the general way.</summary>
    private interface IControlBody
    {
        static abstract FlagUse FlagUse { get; }

        static abstract bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate);
    }

    private delegate void RegisterBody(CpuState s, int destination, int source, ulong constant, bool keepsFlags);

    private delegate bool MemoryBody(ref TCpu cpu, CpuState s, ulong linear, int register, ulong immediate, bool keepsFlags);

    private delegate bool ControlBody(ref TCpu cpu, CpuState s, int register, ulong immediate);

    private sealed class RegisterHandler<TBody> : Handler
        where TBody : struct, IRegisterBody
    {
        internal static readonly Handler Instance = new RegisterHandler<TBody>();

        internal override FlagUse FlagUse => TBody.FlagUse;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            TBody.Execute(s, op.Destination, op.Source, Constant(in op.Instruction), keepsFlags: true);
            return true;
        }

        internal override void Translate(BlockWriter writer, in MicroOp op)
        {
            RegisterBody body = TBody.Execute;
            writer.Register(body.Method, in op, Constant(in op.Instruction));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static ulong Constant(in Instruction i) => TBody.TakesOpcode ? (ulong)i.Opcode : i.Immediate;
    }

    private sealed class MemoryHandler<TBody, TAddressing> : Handler
        where TBody : struct, IMemoryBody
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new MemoryHandler<TBody, TAddressing>();

        internal override FlagUse FlagUse => TBody.FlagUse | FlagUse.Reads;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
            => TAddressing.TryGetLinear(s, in op.Instruction, TBody.Size, out ulong linear)
                && ExecuteAt<TBody>(ref cpu, s, linear, op.Destination, op.Instruction.Immediate, keepsFlags: true)
                || General(ref cpu, s, in op);

        internal override void Translate(BlockWriter writer, in MicroOp op)
        {
            MemoryBody body = ExecuteAt<TBody>;
            writer.Memory(body.Method, in op);
        }
    }

    private sealed class ControlHandler<TBody> : Handler
        where TBody : struct, IControlBody
    {
        internal static readonly Handler Instance = new ControlHandler<TBody>();

        internal override FlagUse FlagUse => TBody.FlagUse | FlagUse.Reads;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
            => TBody.Execute(ref cpu, s, op.Destination, op.Instruction.Immediate) || General(ref cpu, s, in op);

        internal override void Translate(BlockWriter writer, in MicroOp op)
        {
            ControlBody body = TBody.Execute;
            writer.Control(body.Method, in op);
        }
    }

    /// <summary>Executes at a linear address; false, with nothing done, where that takes more than a look.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool ExecuteAt<TBody>(ref TCpu cpu, CpuState s, ulong linear, int register, ulong immediate, bool keepsFlags)
        where TBody : struct, IMemoryBody
    {
        ref byte at = ref Host(ref cpu, s, TBody.Writes ? s.WriteEntries : s.ReadEntries, linear, TBody.Size);
        if (Unsafe.IsNullRef(ref at))
        {
            return false;
        }

        TBody.Execute(s, ref at, register, immediate, keepsFlags);
        return true;
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
