// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Emulation.Instructions.Execution.Integers;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Handlers of the two-operand and one-operand arithmetic, and of shifts of registers.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>An operation as a type, so that handlers are compiled for it.</summary>
    private interface IOperation
    {
        static abstract Operation Operation { get; }
    }

    private readonly struct Add : IOperation
    {
        public static Operation Operation => Operation.Add;
    }

    private readonly struct Or : IOperation
    {
        public static Operation Operation => Operation.Or;
    }

    private readonly struct Adc : IOperation
    {
        public static Operation Operation => Operation.Adc;
    }

    private readonly struct Sbb : IOperation
    {
        public static Operation Operation => Operation.Sbb;
    }

    private readonly struct And : IOperation
    {
        public static Operation Operation => Operation.And;
    }

    private readonly struct Sub : IOperation
    {
        public static Operation Operation => Operation.Sub;
    }

    private readonly struct Xor : IOperation
    {
        public static Operation Operation => Operation.Xor;
    }

    private readonly struct Cmp : IOperation
    {
        public static Operation Operation => Operation.Cmp;
    }

    private readonly struct Test : IOperation
    {
        public static Operation Operation => Operation.Test;
    }

    private readonly struct Inc : IOperation
    {
        public static Operation Operation => Operation.Inc;
    }

    private readonly struct Dec : IOperation
    {
        public static Operation Operation => Operation.Dec;
    }

    private readonly struct Neg : IOperation
    {
        public static Operation Operation => Operation.Neg;
    }

    private readonly struct Not : IOperation
    {
        public static Operation Operation => Operation.Not;
    }

    private readonly struct Shl : IOperation
    {
        public static Operation Operation => Operation.Shl;
    }

    private readonly struct Shr : IOperation
    {
        public static Operation Operation => Operation.Shr;
    }

    private readonly struct Sar : IOperation
    {
        public static Operation Operation => Operation.Sar;
    }

    private readonly struct Rol : IOperation
    {
        public static Operation Operation => Operation.Rol;
    }

    private readonly struct Ror : IOperation
    {
        public static Operation Operation => Operation.Ror;
    }

    /// <summary>What an operation does with the status flags: ADC, SBB, INC and DEC look at CF, NOT at none.</summary>
    private static FlagUse FlagUseOf(Operation operation) => operation switch
    {
        Operation.Adc or Operation.Sbb or Operation.Inc or Operation.Dec or Operation.Rol or Operation.Ror => FlagUse.Reads | FlagUse.Replaces,
        Operation.Not => FlagUse.None,
        _ => FlagUse.Replaces,
    };

    /// <summary>Computes and commits to a register: what all register forms of the two-operand arithmetic are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BinaryToRegister<TOperation, T>(CpuState s, int destination, T right, bool keepsFlags)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        T result = Compute(TOperation.Operation, Low<T>(s, destination), right, s.Carry, out ulong carries);
        if (TOperation.Operation is not (Operation.Cmp or Operation.Test))
        {
            SetLow(s, destination, result);
        }

        if (keepsFlags)
        {
            s.SetResult(result, carries);
        }
    }

    /// <summary>The destination is in memory that the host address was found of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BinaryToMemory<TOperation, T>(CpuState s, ref byte at, T right, bool keepsFlags)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        T result = Compute(TOperation.Operation, Unsafe.ReadUnaligned<T>(ref at), right, s.Carry, out ulong carries);
        if (TOperation.Operation is not (Operation.Cmp or Operation.Test))
        {
            Unsafe.WriteUnaligned(ref at, result);
        }

        if (keepsFlags)
        {
            s.SetResult(result, carries);
        }
    }

    private readonly struct BinaryRegisterRegister<TOperation, T> : IRegisterBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => BinaryToRegister<TOperation, T>(s, destination, Low<T>(s, source), keepsFlags);
    }

    private readonly struct BinaryRegisterImmediate<TOperation, T> : IRegisterBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => BinaryToRegister<TOperation, T>(s, destination, Truncate<T>(constant), keepsFlags);
    }

    private readonly struct BinaryRegisterMemory<TOperation, T> : IMemoryBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => BinaryToRegister<TOperation, T>(s, register, Unsafe.ReadUnaligned<T>(ref at), keepsFlags);
    }

    private readonly struct BinaryMemoryRegister<TOperation, T> : IMemoryBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => TOperation.Operation is not (Operation.Cmp or Operation.Test);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => BinaryToMemory<TOperation, T>(s, ref at, Low<T>(s, register), keepsFlags);
    }

    private readonly struct BinaryMemoryImmediate<TOperation, T> : IMemoryBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => TOperation.Operation is not (Operation.Cmp or Operation.Test);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => BinaryToMemory<TOperation, T>(s, ref at, Truncate<T>(immediate), keepsFlags);
    }

    private readonly struct UnaryRegister<TOperation, T> : IRegisterBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
        {
            T result = ComputeUnary(TOperation.Operation, Low<T>(s, destination), s.Carry, out ulong carries);
            SetLow(s, destination, result);
            if (keepsFlags)
            {
                CommitUnary(s, TOperation.Operation, result, carries);
            }
        }
    }

    private readonly struct UnaryMemory<TOperation, T> : IMemoryBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUseOf(TOperation.Operation);

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
        {
            T result = ComputeUnary(TOperation.Operation, Unsafe.ReadUnaligned<T>(ref at), s.Carry, out ulong carries);
            Unsafe.WriteUnaligned(ref at, result);
            if (keepsFlags)
            {
                CommitUnary(s, TOperation.Operation, result, carries);
            }
        }
    }

    /// <summary>MUL and IMUL of the accumulator by a register.</summary>
    private readonly struct ProductOfAccumulator<T, TSigned> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
        where TSigned : struct, ISigned
    {
        public static FlagUse FlagUse => FlagUse.Replaces;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => MultiplyAccumulator(s, Low<T>(s, source), TSigned.IsSigned, keepsFlags);
    }

    /// <summary>The same by an operand in memory.</summary>
    private readonly struct ProductOfAccumulatorMemory<T, TSigned> : IMemoryBody
        where T : unmanaged, IBinaryInteger<T>
        where TSigned : struct, ISigned
    {
        public static FlagUse FlagUse => FlagUse.Replaces;

        public static int Size => Unsafe.SizeOf<T>();

        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, ref byte at, int register, ulong immediate, bool keepsFlags)
            => MultiplyAccumulator(s, Unsafe.ReadUnaligned<T>(ref at), TSigned.IsSigned, keepsFlags);
    }

    /// <summary>IMUL of the destination by a register.</summary>
    private readonly struct Product<T> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.Replaces;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, CutProduct(s, Low<T>(s, source), Low<T>(s, destination), keepsFlags));
    }

    /// <summary>IMUL of a register by an immediate.</summary>
    private readonly struct ProductWithImmediate<T> : IRegisterBody
        where T : unmanaged, IBinaryInteger<T>
    {
        public static FlagUse FlagUse => FlagUse.Replaces;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
            => SetLow(s, destination, CutProduct(s, Low<T>(s, source), Truncate<T>(constant), keepsFlags));
    }

    /// <summary>The count is in CL, or the number of the source.</summary>
    private readonly struct ShiftRegisterBy<TOperation, T, TCount> : IRegisterBody
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TCount : struct, ICount
    {
        public static FlagUse FlagUse => TCount.IsNeverZero ? FlagUseOf(TOperation.Operation) : FlagUse.None;

        public static bool TakesOpcode => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Execute(CpuState s, int destination, int source, ulong constant, bool keepsFlags)
        {
            int count = TCount.Get(s, source) & (Unsafe.SizeOf<T>() == 8 ? 63 : 31);
            T value = Low<T>(s, destination);
            if (!TCount.IsNeverZero && count == 0)
            {
                SetLow(s, destination, value);
                return;
            }

            T result = ComputeShift(TOperation.Operation, value, count, s.Carry, out ulong carries);
            SetLow(s, destination, result);
            if (keepsFlags)
            {
                CommitShift(s, TOperation.Operation, result, carries);
            }
        }
    }

    private interface ICount
    {
        static abstract bool IsNeverZero { get; }

        static abstract int Get(CpuState s, int source);
    }

    private readonly struct CountInCl : ICount
    {
        public static bool IsNeverZero => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Get(CpuState s, int source) => (int)s.Register(Rcx);
    }

    private readonly struct FixedCount : ICount
    {
        public static bool IsNeverZero => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Get(CpuState s, int source) => source;
    }
}
