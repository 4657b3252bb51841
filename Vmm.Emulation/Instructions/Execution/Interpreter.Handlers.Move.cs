// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Bodies of moves, address computation, and the stack in 64-bit mode.</summary>
internal static partial class Interpreter<TCpu>
{
    private readonly struct MoveRegisterRegister<T> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, Low<T>(s, source));
    }

    private readonly struct MoveRegisterImmediate<T> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, Truncate<T>(constant));
    }

    private readonly struct Load<T> : IMemoryBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => SetLow(s, register, Unsafe.ReadUnaligned<T>(ref at));
    }

    private readonly struct Store<T> : IMemoryBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => Unsafe.WriteUnaligned(ref at, Low<T>(s, register));
    }

    private readonly struct StoreImmediate<T> : IMemoryBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => Unsafe.WriteUnaligned(ref at, Truncate<T>(immediate));
    }

    /// <summary>MOVZX, MOVSX and MOVSXD to 32 or 64 bits.</summary>
    private readonly struct ExtendRegister<TFrom, TTo, TSigned> : IRegisterBody
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, Extended<TFrom, TTo, TSigned>(Low<TFrom>(s, source)));
    }

    private readonly struct ExtendMemory<TFrom, TTo, TSigned> : IMemoryBody
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
    {
        public static FlagUse FlagUse => FlagUse.None;

        public static int Size => Unsafe.SizeOf<TFrom>();

        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => SetLow(s, register, Extended<TFrom, TTo, TSigned>(Unsafe.ReadUnaligned<TFrom>(ref at)));
    }

    private interface ISigned
    {
        static abstract bool IsSigned { get; }
    }

    private readonly struct Signed : ISigned
    {
        public static bool IsSigned => true;
    }

    private readonly struct Unsigned : ISigned
    {
        public static bool IsSigned => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TTo Extended<TFrom, TTo, TSigned>(TFrom value)
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
        => Truncate<TTo>(TSigned.IsSigned ? (ulong)Integers.Extend(value) : Widen(value));

    /// <summary>LEA with 64-bit addresses, or 32-bit ones into 32 bits: a move of the offset.</summary>
    private sealed class LoadAddress<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new LoadAddress<T>();

        internal override FlagUse FlagUse => FlagUse.None;

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            _ = Flat64.TryGetLinear(s, in op.Instruction, 1, out ulong offset);
            MoveRegisterImmediate<T>.Execute(s, op.Destination, op.Source, offset, keepsFlags: true);
            return true;
        }

        internal override void Translate(BlockWriter writer, in MicroOp op)
        {
            RegisterBody body = MoveRegisterImmediate<T>.Execute;
            writer.AddressTo(body.Method, in op);
        }
    }

    /// <summary>The source is read whatever the condition; 32-bit destinations are zero-extended in any case.</summary>
    private readonly struct ConditionalMoveRegister<T> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.Reads;

        public static bool TakesOpcode => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, Low<T>(s, s.IsTrue((int)constant) ? source : destination));
    }

    private readonly struct SetRegister : IRegisterBody
    {
        public static FlagUse FlagUse => FlagUse.Reads;

        public static bool TakesOpcode => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, s.IsTrue((int)constant) ? (byte)1 : (byte)0);
    }

    private sealed class Nothing : Handler
    {
        internal static readonly Handler Instance = new Nothing();

        internal override FlagUse FlagUse => FlagUse.None;

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op) => true;

        internal override void Translate(BlockWriter writer, in MicroOp op)
        {
            // Nothing becomes nothing.
        }
    }

    private readonly struct PushRegister64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
            => TryPush64(ref cpu, s, s.Register(register));
    }

    private readonly struct PushImmediate64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
            => TryPush64(ref cpu, s, immediate);
    }

    private readonly struct PopRegister64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            ulong pointer = s.Register(Rsp);
            ref byte at = ref Host(ref cpu, s, s.ReadEntries, pointer, sizeof(ulong));
            if (Unsafe.IsNullRef(ref at))
            {
                return false;
            }

            // POP RSP: what was popped wins.
            ulong value = Unsafe.ReadUnaligned<ulong>(ref at);
            s.Register(Rsp) = pointer + sizeof(ulong);
            s.Register(register) = value;
            return true;
        }
    }

    /// <summary>Pushes in 64-bit mode; false with nothing done where it takes more than a look.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryPush64(ref TCpu cpu, CpuState s, ulong value)
    {
        ulong pointer = s.Register(Rsp) - sizeof(ulong);
        ref byte at = ref Host(ref cpu, s, s.WriteEntries, pointer, sizeof(ulong));
        if (Unsafe.IsNullRef(ref at))
        {
            return false;
        }

        Unsafe.WriteUnaligned(ref at, value);
        s.Register(Rsp) = pointer;
        return true;
    }
}
