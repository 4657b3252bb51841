// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The choice of the handler for an instruction, when its block is decoded.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Makes the micro-operation of an instruction; true if it ends its block.</summary>
    private static bool Select(in Instruction i, out MicroOp op)
    {
        op = new() { Instruction = i, Length = (byte)i.Length, Handler = GeneralHandler.Instance };
        if (IsTransfer(i.Operation))
        {
            op.Handler = (i.HasLock ? null : SelectTransfer(in i, ref op)) ?? GeneralHandler.Instance;
            return true;
        }

        if (!IsStraight(i.Operation))
        {
            op.Handler = BoundaryHandler.Instance;
            return true;
        }

        op.Handler = (i.HasLock ? null : SelectStraight(in i, ref op)) ?? GeneralHandler.Instance;
        return false;
    }

    /// <summary>Near transfers: they change RIP and nothing else that blocks depend on.</summary>
    private static bool IsTransfer(Operation operation)
        => operation is Operation.Jcc or Operation.Jmp or Operation.Call or Operation.Ret or Operation.Loop or Operation.Loope
            or Operation.Loopne or Operation.Jcxz;

    /// <summary>Instructions that change registers, status flags and memory, and go on behind themselves.</summary>
    private static bool IsStraight(Operation operation) => operation switch
    {
        Operation.Invalid or Operation.Unrecognized or Operation.Evex => false,
        >= Operation.Adc and <= Operation.Mov => true,
        >= Operation.Movsx and <= Operation.Pop => true,
        Operation.Enter or Operation.Leave or Operation.Pusha or Operation.Popa => true,
        >= Operation.Daa and <= Operation.Adox => true,
        Operation.Setcc or Operation.Cmovcc => true,
        Operation.Cmc or Operation.Clc or Operation.Stc or Operation.Cld or Operation.Std => true,
        Operation.Nop or Operation.ReservedNop or Operation.Endbr32 or Operation.Endbr64 => true,
        Operation.Lfence or Operation.Mfence or Operation.Sfence => true,
        >= Operation.Prefetch and <= Operation.Prefetchit1 => true,
        Operation.Rdtsc or Operation.Rdtscp => true,
        >= Operation.F2xm1 => true,
        _ => false,
    };

    private static Handler? SelectStraight(in Instruction i, ref MicroOp op)
    {
        switch (i.Operation)
        {
            case Operation.Nop or Operation.ReservedNop or Operation.Endbr32 or Operation.Endbr64:
                return Nothing.Instance;
            case >= Operation.F2xm1 when (i.Needs & StateNeeds.Extended) != 0:
                return VectorHandler.Instance;
            case Operation.Lea:
                return SelectAddress(in i, ref op);
            case Operation.Push or Operation.Pop:
                return SelectStack(in i, ref op);
            case Operation.Movzx or Operation.Movsx or Operation.Movsxd:
                return SelectExtension(in i, ref op);
            case Operation.Setcc when !i.HasMemoryOperand && IsLow(in i, i.Rm, 0):
                op.Destination = (byte)i.Rm;
                return RegisterHandler<SetRegister>.Instance;
            case Operation.Cmovcc when !i.HasMemoryOperand && i.SizeLog2 >= 2:
                op.Destination = (byte)i.Reg;
                op.Source = (byte)i.Rm;
                return i.SizeLog2 == 2 ? RegisterHandler<ConditionalMoveRegister<uint>>.Instance : RegisterHandler<ConditionalMoveRegister<ulong>>.Instance;
            default:
                return i.SizeLog2 switch
                {
                    0 => SelectSized<byte>(in i, ref op),
                    1 => SelectSized<ushort>(in i, ref op),
                    2 => SelectSized<uint>(in i, ref op),
                    _ => SelectSized<ulong>(in i, ref op),
                };
        }
    }

    private static Handler? SelectSized<T>(in Instruction i, ref MicroOp op)
        where T : unmanaged, IBinaryInteger<T> => i.Operation switch
        {
            Operation.Mov => SelectMove<T>(in i, ref op),
            Operation.Add => SelectBinary<Add, T>(in i, ref op),
            Operation.Or => SelectBinary<Or, T>(in i, ref op),
            Operation.Adc => SelectBinary<Adc, T>(in i, ref op),
            Operation.Sbb => SelectBinary<Sbb, T>(in i, ref op),
            Operation.And => SelectBinary<And, T>(in i, ref op),
            Operation.Sub => SelectBinary<Sub, T>(in i, ref op),
            Operation.Xor => SelectBinary<Xor, T>(in i, ref op),
            Operation.Cmp => SelectBinary<Cmp, T>(in i, ref op),
            Operation.Test => SelectBinary<Test, T>(in i, ref op),
            Operation.Inc => SelectUnary<Inc, T>(in i, ref op),
            Operation.Dec => SelectUnary<Dec, T>(in i, ref op),
            Operation.Neg => SelectUnary<Neg, T>(in i, ref op),
            Operation.Not => SelectUnary<Not, T>(in i, ref op),
            Operation.Imul when i.Pattern != Pattern.E => SelectProduct<T>(in i, ref op),
            Operation.Imul => SelectProductOfAccumulator<T, Signed>(in i, ref op),
            Operation.Mul => SelectProductOfAccumulator<T, Unsigned>(in i, ref op),
            Operation.Shl or Operation.Sal => SelectShift<Shl, T>(in i, ref op),
            Operation.Shr => SelectShift<Shr, T>(in i, ref op),
            Operation.Sar => SelectShift<Sar, T>(in i, ref op),
            Operation.Rol => SelectShift<Rol, T>(in i, ref op),
            Operation.Ror => SelectShift<Ror, T>(in i, ref op),
            _ => null,
        };

    private static Handler? SelectMove<T>(in Instruction i, ref MicroOp op)
        where T : unmanaged, IBinaryInteger<T>
    {
        switch (TryShape(in i, ref op))
        {
            case Shape.RegisterRegister:
                return RegisterHandler<MoveRegisterRegister<T>>.Instance;
            case Shape.RegisterImmediate:
                return RegisterHandler<MoveRegisterImmediate<T>>.Instance;
            case Shape.RegisterMemory:
                return MemoryHandlerOf<Load<T>>(in i);
            case Shape.MemoryRegister:
                return MemoryHandlerOf<Store<T>>(in i);
            case Shape.MemoryImmediate:
                return MemoryHandlerOf<StoreImmediate<T>>(in i);
            default:
                return null;
        }
    }

    private static Handler? SelectBinary<TOperation, T>(in Instruction i, ref MicroOp op)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        switch (TryShape(in i, ref op))
        {
            case Shape.RegisterRegister:
                return RegisterHandler<BinaryRegisterRegister<TOperation, T>>.Instance;
            case Shape.RegisterImmediate:
                return RegisterHandler<BinaryRegisterImmediate<TOperation, T>>.Instance;
            case Shape.RegisterMemory:
                return MemoryHandlerOf<BinaryRegisterMemory<TOperation, T>>(in i);
            case Shape.MemoryRegister:
                return MemoryHandlerOf<BinaryMemoryRegister<TOperation, T>>(in i);
            case Shape.MemoryImmediate:
                return MemoryHandlerOf<BinaryMemoryImmediate<TOperation, T>>(in i);
            default:
                return null;
        }
    }

    private static Handler? SelectUnary<TOperation, T>(in Instruction i, ref MicroOp op)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        op.Destination = (byte)i.Rm;
        if (!i.HasMemoryOperand)
        {
            return IsLow(in i, i.Rm, i.SizeLog2) ? RegisterHandler<UnaryRegister<TOperation, T>>.Instance : null;
        }

        return MemoryHandlerOf<UnaryMemory<TOperation, T>>(in i);
    }

    private static Handler? SelectProduct<T>(in Instruction i, ref MicroOp op)
        where T : unmanaged, IBinaryInteger<T>
    {
        op.Destination = (byte)i.Reg;
        op.Source = (byte)i.Rm;
        return i.HasMemoryOperand ? null
            : i.Pattern == Pattern.GEI ? RegisterHandler<ProductWithImmediate<T>>.Instance : RegisterHandler<Product<T>>.Instance;
    }

    private static Handler? SelectProductOfAccumulator<T, TSigned>(in Instruction i, ref MicroOp op)
        where T : unmanaged, IBinaryInteger<T>
        where TSigned : struct, ISigned
    {
        op.Source = (byte)i.Rm;
        return i.HasMemoryOperand ? MemoryHandlerOf<ProductOfAccumulatorMemory<T, TSigned>>(in i)
            : IsLow(in i, i.Rm, i.SizeLog2) ? RegisterHandler<ProductOfAccumulator<T, TSigned>>.Instance : null;
    }

    private static Handler? SelectShift<TOperation, T>(in Instruction i, ref MicroOp op)
        where TOperation : struct, IOperation
        where T : unmanaged, IBinaryInteger<T>
    {
        if (i.HasMemoryOperand || !IsLow(in i, i.Rm, i.SizeLog2))
        {
            return null;
        }

        op.Destination = (byte)i.Rm;
        op.Source = i.Pattern == Pattern.E1 ? (byte)1 : (byte)i.Immediate;
        if (i.Pattern == Pattern.Ecl)
        {
            return RegisterHandler<ShiftRegisterBy<TOperation, T, CountInCl>>.Instance;
        }

        return (op.Source & (i.SizeLog2 == 3 ? 63 : 31)) == 0 ? null : RegisterHandler<ShiftRegisterBy<TOperation, T, FixedCount>>.Instance;
    }

    private static Handler? SelectAddress(in Instruction i, ref MicroOp op)
    {
        op.Destination = (byte)i.Reg;
        return (i.SizeLog2, i.AddressSizeLog2) switch
        {
            (3, 3) => LoadAddress<ulong>.Instance,
            (2, 3 or 2) => LoadAddress<uint>.Instance,
            _ => null,
        };
    }

    private static Handler? SelectStack(in Instruction i, ref MicroOp op)
    {
        if (i.CodeSize != CodeSize.Bits64 || i.SizeLog2 != 3 || i.HasMemoryOperand)
        {
            return null;
        }

        op.Destination = (byte)i.Rm;
        return i.Operation == Operation.Pop ? ControlHandler<PopRegister64>.Instance
            : i.Pattern == Pattern.I ? ControlHandler<PushImmediate64>.Instance : ControlHandler<PushRegister64>.Instance;
    }

    private static Handler? SelectExtension(in Instruction i, ref MicroOp op)
    {
        op.Destination = (byte)i.Reg;
        op.Source = (byte)i.Rm;
        if (i.Operation == Operation.Movsxd)
        {
            return i.SizeLog2 == 3 ? SelectExtension<uint, ulong, Signed>(in i) : null;
        }

        bool signed = i.Operation == Operation.Movsx;
        bool isByte = (i.Opcode & 1) == 0;
        if (i.SizeLog2 < 2 || !i.HasMemoryOperand && isByte && !IsLow(in i, i.Rm, 0))
        {
            return null;
        }

        return (isByte, signed, i.SizeLog2 == 3) switch
        {
            (true, true, true) => SelectExtension<byte, ulong, Signed>(in i),
            (true, true, false) => SelectExtension<byte, uint, Signed>(in i),
            (true, false, _) => SelectExtension<byte, uint, Unsigned>(in i),
            (false, true, true) => SelectExtension<ushort, ulong, Signed>(in i),
            (false, true, false) => SelectExtension<ushort, uint, Signed>(in i),
            _ => SelectExtension<ushort, uint, Unsigned>(in i),
        };
    }

    private static Handler? SelectExtension<TFrom, TTo, TSigned>(in Instruction i)
        where TFrom : unmanaged, IBinaryInteger<TFrom>
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TSigned : struct, ISigned
        => !i.HasMemoryOperand ? RegisterHandler<ExtendRegister<TFrom, TTo, TSigned>>.Instance : MemoryHandlerOf<ExtendMemory<TFrom, TTo, TSigned>>(in i);

    private static Handler? SelectTransfer(in Instruction i, ref MicroOp op)
    {
        bool is64 = i.CodeSize == CodeSize.Bits64 && i.SizeLog2 == 3;
        bool is32 = i.CodeSize == CodeSize.Bits32 && i.SizeLog2 == 2;
        op.Destination = (byte)i.Rm;
        return i.Operation switch
        {
            Operation.Jcc when is64 => SelectCondition<Target64>(i.Opcode & 15),
            Operation.Jcc when is32 => SelectCondition<Target32>(i.Opcode & 15),
            Operation.Jmp when i.Pattern == Pattern.J => is64 ? ControlHandler<JumpTo<Target64>>.Instance : is32 ? ControlHandler<JumpTo<Target32>>.Instance : null,
            Operation.Jmp when is64 && !i.HasMemoryOperand => ControlHandler<JumpRegister64>.Instance,
            Operation.Call when is64 && i.Pattern == Pattern.J => ControlHandler<Call64>.Instance,
            Operation.Call when is64 && !i.HasMemoryOperand => ControlHandler<CallRegister64>.Instance,
            Operation.Ret when is64 => ControlHandler<Return64>.Instance,
            _ => null,
        };
    }

    private static Handler SelectCondition<TTarget>(int condition)
        where TTarget : struct, ITarget => (condition & 8) != 0 ? SelectCondition<Signed, TTarget>(condition) : SelectCondition<Unsigned, TTarget>(condition);

    private static Handler SelectCondition<T3, TTarget>(int condition)
        where T3 : struct, ISigned
        where TTarget : struct, ITarget => (condition & 7) switch
        {
            0 => ControlHandler<JumpIf<Condition<T3, Unsigned, Unsigned, Unsigned>, TTarget>>.Instance,
            1 => ControlHandler<JumpIf<Condition<T3, Unsigned, Unsigned, Signed>, TTarget>>.Instance,
            2 => ControlHandler<JumpIf<Condition<T3, Unsigned, Signed, Unsigned>, TTarget>>.Instance,
            3 => ControlHandler<JumpIf<Condition<T3, Unsigned, Signed, Signed>, TTarget>>.Instance,
            4 => ControlHandler<JumpIf<Condition<T3, Signed, Unsigned, Unsigned>, TTarget>>.Instance,
            5 => ControlHandler<JumpIf<Condition<T3, Signed, Unsigned, Signed>, TTarget>>.Instance,
            6 => ControlHandler<JumpIf<Condition<T3, Signed, Signed, Unsigned>, TTarget>>.Instance,
            _ => ControlHandler<JumpIf<Condition<T3, Signed, Signed, Signed>, TTarget>>.Instance,
        };

    /// <summary>The kinds of the operands, with the registers noted; none where a handler would not fit.</summary>
    private static Shape TryShape(in Instruction i, ref MicroOp op)
    {
        int size = i.SizeLog2;
        bool memory = i.HasMemoryOperand;
        op.Destination = (byte)i.Rm;
        op.Source = (byte)i.Reg;
        switch (i.Pattern)
        {
            case Pattern.EG when memory:
                op.Destination = (byte)i.Reg;
                return IsLow(in i, i.Reg, size) ? Shape.MemoryRegister : Shape.None;
            case Pattern.EG:
                return IsLow(in i, i.Reg, size) && IsLow(in i, i.Rm, size) ? Shape.RegisterRegister : Shape.None;
            case Pattern.GE:
                op.Destination = (byte)i.Reg;
                op.Source = (byte)i.Rm;
                return !IsLow(in i, i.Reg, size) || !memory && !IsLow(in i, i.Rm, size) ? Shape.None
                    : memory ? Shape.RegisterMemory : Shape.RegisterRegister;
            case Pattern.EI when memory:
                return Shape.MemoryImmediate;
            case Pattern.EI or Pattern.ZI:
                return IsLow(in i, i.Rm, size) ? Shape.RegisterImmediate : Shape.None;
            case Pattern.AI:
                op.Destination = Rax;
                return Shape.RegisterImmediate;
            default:
                return Shape.None;
        }
    }

    /// <summary>Whether a register's operand begins at its lowest bit: not AH, CH, DH or BH.</summary>
    private static bool IsLow(in Instruction i, int register, int sizeLog2) => sizeLog2 != 0 || i.HasRex || (uint)(register - 4) >= 4;

    /// <summary>The handler for the way the operand is addressed; null where it takes the general way.</summary>
    private static Handler? MemoryHandlerOf<TBody>(in Instruction i)
        where TBody : struct, IMemoryBody
    {
        if (!TCpu.HasStableMemory)
        {
            return null;
        }

        return (i.CodeSize, i.AddressSizeLog2) switch
        {
            (CodeSize.Bits64, 3) when i.Segment >= (int)SegmentName.Fs => MemoryHandler<TBody, Based64>.Instance,
            (CodeSize.Bits64, 3) => MemoryHandler<TBody, Flat64>.Instance,
            (CodeSize.Bits32, 2) => MemoryHandler<TBody, Segmented32>.Instance,
            _ => null,
        };
    }

    private enum Shape
    {
        None,
        RegisterRegister,
        RegisterImmediate,
        RegisterMemory,
        MemoryRegister,
        MemoryImmediate,
    }
}
