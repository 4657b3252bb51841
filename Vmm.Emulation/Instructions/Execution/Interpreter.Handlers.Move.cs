// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Handlers of moves, address computation, and the stack in 64-bit mode.</summary>
internal static partial class Interpreter<TCpu>
{
    private sealed class MoveRegisterRegister<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new MoveRegisterRegister<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            SetLow(s, op.Destination, Low<T>(s, op.Source));
            return true;
        }
    }

    private sealed class MoveRegisterImmediate<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new MoveRegisterImmediate<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            SetLow(s, op.Destination, Truncate<T>(op.Instruction.Immediate));
            return true;
        }
    }

    private sealed class Load<T, TAddressing> : Handler
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new Load<T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, write: false);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            SetLow(s, op.Destination, Unsafe.ReadUnaligned<T>(ref at));
            return true;
        }
    }

    private sealed class Store<T, TAddressing> : Handler
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new Store<T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, write: true);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            Unsafe.WriteUnaligned(ref at, Low<T>(s, op.Source));
            return true;
        }
    }

    private sealed class StoreImmediate<T, TAddressing> : Handler
        where T : unmanaged, IBinaryInteger<T>
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new StoreImmediate<T, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<T, TAddressing>(ref cpu, s, in op.Instruction, write: true);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            Unsafe.WriteUnaligned(ref at, Truncate<T>(op.Instruction.Immediate));
            return true;
        }
    }

    /// <summary>MOVZX, MOVSX and MOVSXD to 32 or 64 bits.</summary>
    private sealed class ExtendRegister<TFrom, TTo, TSigned> : Handler
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
    {
        internal static readonly Handler Instance = new ExtendRegister<TFrom, TTo, TSigned>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            SetLow(s, op.Destination, Extended<TFrom, TTo, TSigned>(Low<TFrom>(s, op.Source)));
            return true;
        }
    }

    private sealed class ExtendMemory<TFrom, TTo, TSigned, TAddressing> : Handler
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
        where TAddressing : struct, IAddressing
    {
        internal static readonly Handler Instance = new ExtendMemory<TFrom, TTo, TSigned, TAddressing>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ref byte at = ref Operand<TFrom, TAddressing>(ref cpu, s, in op.Instruction, write: false);
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            SetLow(s, op.Destination, Extended<TFrom, TTo, TSigned>(Unsafe.ReadUnaligned<TFrom>(ref at)));
            return true;
        }
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
        => Truncate<TTo>(TSigned.IsSigned ? (ulong)Flags.Extend(value) : Widen(value));

    /// <summary>LEA with 64-bit addresses, or 32-bit ones into 32 bits.</summary>
    private sealed class LoadAddress<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new LoadAddress<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            _ = Flat64.TryGetLinear(s, in op.Instruction, 1, out ulong offset);
            SetLow(s, op.Destination, Truncate<T>(offset));
            return true;
        }
    }

    /// <summary>The source is read whatever the condition; 32-bit destinations are zero-extended in any case.</summary>
    private sealed class ConditionalMoveRegister<T> : Handler
        where T : unmanaged, IBinaryInteger<T>
    {
        internal static readonly Handler Instance = new ConditionalMoveRegister<T>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            SetLow(s, op.Destination, Low<T>(s, s.IsTrue(op.Instruction.Opcode) ? op.Source : op.Destination));
            return true;
        }
    }

    private sealed class SetRegister : Handler
    {
        internal static readonly Handler Instance = new SetRegister();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            SetLow(s, op.Destination, s.IsTrue(op.Instruction.Opcode) ? (byte)1 : (byte)0);
            return true;
        }
    }

    private sealed class Nothing : Handler
    {
        internal static readonly Handler Instance = new Nothing();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op) => true;
    }

    private sealed class PushRegister64 : Handler
    {
        internal static readonly Handler Instance = new PushRegister64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
            => TryPush64(ref cpu, s, s.Register(op.Source)) || General(ref cpu, s, in op);
    }

    private sealed class PushImmediate64 : Handler
    {
        internal static readonly Handler Instance = new PushImmediate64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
            => TryPush64(ref cpu, s, op.Instruction.Immediate) || General(ref cpu, s, in op);
    }

    private sealed class PopRegister64 : Handler
    {
        internal static readonly Handler Instance = new PopRegister64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ulong pointer = s.Register(Rsp);
            ref byte at = ref Host(ref cpu, s, s.ReadEntries, pointer, sizeof(ulong));
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            // POP RSP: what was popped wins.
            ulong value = Unsafe.ReadUnaligned<ulong>(ref at);
            s.Register(Rsp) = pointer + sizeof(ulong);
            s.Register(op.Destination) = value;
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
