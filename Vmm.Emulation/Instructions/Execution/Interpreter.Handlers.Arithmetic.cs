// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;

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

    /// <summary>Computes and commits to a register: what all register forms of the two-operand arithmetic are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BinaryToRegister<TOperation, T>(CpuState s, int destination, T right)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        T result = Compute(TOperation.Operation, Low<T>(s, destination), right, s.Carry, out ulong carries);
        if (TOperation.Operation is not (Operation.Cmp or Operation.Test))
        {
            SetLow(s, destination, result);
        }

        s.SetResult(result, carries);
    }

    /// <summary>The destination is in memory that the host address was found of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void BinaryToMemory<TOperation, T>(CpuState s, ref byte at, T right)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        T result = Compute(TOperation.Operation, Unsafe.ReadUnaligned<T>(ref at), right, s.Carry, out ulong carries);
        if (TOperation.Operation is not (Operation.Cmp or Operation.Test))
        {
            Unsafe.WriteUnaligned(ref at, result);
        }

        s.SetResult(result, carries);
    }

    private sealed class BinaryRegisterRegister<TOperation, T> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new BinaryRegisterRegister<TOperation, T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            BinaryToRegister<TOperation, T>(s, op.Destination, Low<T>(s, op.Source));
            return true;
        }
    }

    private sealed class BinaryRegisterImmediate<TOperation, T> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new BinaryRegisterImmediate<TOperation, T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            BinaryToRegister<TOperation, T>(s, op.Destination, Truncate<T>(op.Instruction.Immediate));
            return true;
        }
    }

    private sealed class BinaryRegisterMemory<TOperation, T, TAddressing> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new BinaryRegisterMemory<TOperation, T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, write: false);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            BinaryToRegister<TOperation, T>(s, op.Destination, Unsafe.ReadUnaligned<T>(ref at));
            return true;
        }
    }

    private sealed class BinaryMemoryRegister<TOperation, T, TAddressing> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new BinaryMemoryRegister<TOperation, T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            bool writes = TOperation.Operation is not (Operation.Cmp or Operation.Test);
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, writes);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            BinaryToMemory<TOperation, T>(s, ref at, Low<T>(s, op.Source));
            return true;
        }
    }

    private sealed class BinaryMemoryImmediate<TOperation, T, TAddressing> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new BinaryMemoryImmediate<TOperation, T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            bool writes = TOperation.Operation is not (Operation.Cmp or Operation.Test);
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, writes);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            BinaryToMemory<TOperation, T>(s, ref at, Truncate<T>(op.Instruction.Immediate));
            return true;
        }
    }

    private sealed class UnaryRegister<TOperation, T> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new UnaryRegister<TOperation, T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            T result = ComputeUnary(TOperation.Operation, Low<T>(s, op.Destination), s.Carry, out ulong carries);
            SetLow(s, op.Destination, result);
            CommitUnary(s, TOperation.Operation, result, carries);
            return true;
        }
    }

    private sealed class UnaryMemory<TOperation, T, TAddressing> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new UnaryMemory<TOperation, T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, write: true);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            T result = ComputeUnary(TOperation.Operation, Unsafe.ReadUnaligned<T>(ref at), s.Carry, out ulong carries);
            Unsafe.WriteUnaligned(ref at, result);
            CommitUnary(s, TOperation.Operation, result, carries);
            return true;
        }
    }

    /// <summary>MUL and IMUL with one operand.</summary>
    private sealed class ProductOfAccumulator<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new ProductOfAccumulator<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op) => Multiply<T>(ref cpu, s, in op.Instruction);
    }

    /// <summary>IMUL with two or three operands.</summary>
    private sealed class Product<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new Product<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op) => MultiplyTo<T>(ref cpu, s, in op.Instruction);
    }

    /// <summary>The count is in CL, or in <see cref="MicroOp.Source"/>.</summary>
    private sealed class ShiftRegisterBy<TOperation, T, TCount> : Handler
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
        where TCount : struct, ICount
    {
        internal static readonly Handler Instance = new ShiftRegisterBy<TOperation, T, TCount>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            int count = TCount.Get(s, in op) & (Unsafe.SizeOf<T>() == 8 ? 63 : 31);
            T value = Low<T>(s, op.Destination);
            if (count == 0)
            {
                SetLow(s, op.Destination, value);
                return true;
            }

            T result = ComputeShift(TOperation.Operation, value, count, s.Carry, out ulong carries);
            SetLow(s, op.Destination, result);
            CommitShift(s, TOperation.Operation, result, carries);
            return true;
        }
    }

    private interface ICount
    {
        static abstract int Get(CpuState s, in MicroOp op);
    }

    private readonly struct CountInCl : ICount
    {
        public static int Get(CpuState s, in MicroOp op) => (int)s.Register(Rcx);
    }

    private readonly struct FixedCount : ICount
    {
        public static int Get(CpuState s, in MicroOp op) => op.Source;
    }
}
