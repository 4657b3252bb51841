// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The x87's arithmetic, comparisons and functions.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool IsPopping(Operation operation) => operation is Operation.Faddp or Operation.Fmulp or Operation.Fsubp or Operation.Fsubrp
        or Operation.Fdivp or Operation.Fdivrp or Operation.Fcomp or Operation.Fcompp or Operation.Ficomp or Operation.Fucomp or Operation.Fucompp
        or Operation.Fcomip or Operation.Fucomip;

    /// <summary>The memory operand of arithmetic and comparisons: single, double, or an integer of 16 or 32 bits.</summary>
    private static bool ReadX87Operand(ref TCpu cpu, CpuState s, in Instruction i, out Float80 value, out bool isDenormal)
    {
        value = default;
        isDenormal = false;
        int size = i.Opcode switch
        {
            0xDC => 8,
            0xDE => 2,
            _ => 4,
        };
        if (!Address(s, in i, size, write: false, out ulong linear) || !ReadSized(ref cpu, s, linear, size, out ulong bits))
        {
            return false;
        }

        value = i.Opcode switch
        {
            0xD8 => BinaryFloat<Single32>.ToExtended(bits, out isDenormal),
            0xDC => BinaryFloat<Double64>.ToExtended(bits, out isDenormal),
            0xDA => Float80.FromInteger((int)bits),
            _ => Float80.FromInteger((short)bits),
        };
        return true;
    }

    private static bool X87Arithmetic(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int register = i.Rm & 7;
        bool isDenormal = false;
        Float80 source;
        if (!i.HasMemoryOperand)
        {
            source = GetSt(s, i.Opcode == 0xD8 ? register : 0);
        }
        else if (!ReadX87Operand(ref cpu, s, in i, out source, out isDenormal))
        {
            return false;
        }

        int destination = i.HasMemoryOperand || i.Opcode == 0xD8 ? 0 : register;
        FloatStatus status = X87Status(s);
        Float80 result;
        if (IsEmpty(s, 0) || !i.HasMemoryOperand && IsEmpty(s, register))
        {
            RaiseStackFault(s, ref status, isOverflow: false);
            result = Float80.Indefinite;
        }
        else
        {
            Float80 target = GetSt(s, destination);
            result = X87Compute(i.Operation, target, source, isDenormal, X87Precision(s), ref status);
        }

        if (!IsStopped(in status))
        {
            SetSt(s, destination, result);
            if (IsPopping(i.Operation))
            {
                Pop(s);
            }
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    private static Float80 X87Compute(Operation operation, Float80 target, Float80 source, bool isDenormal, FloatFormat format, ref FloatStatus status)
    {
        (FloatOperation kind, bool isReversed) = operation switch
        {
            Operation.Fadd or Operation.Faddp or Operation.Fiadd => (FloatOperation.Add, false),
            Operation.Fmul or Operation.Fmulp or Operation.Fimul => (FloatOperation.Multiply, false),
            Operation.Fsub or Operation.Fsubp or Operation.Fisub => (FloatOperation.Subtract, false),
            Operation.Fsubr or Operation.Fsubrp or Operation.Fisubr => (FloatOperation.Subtract, true),
            Operation.Fdiv or Operation.Fdivp or Operation.Fidiv => (FloatOperation.Divide, false),
            _ => (FloatOperation.Divide, true),
        };
        Float80 result = ExtendedFloat.Compute(kind, isReversed ? source : target, isReversed ? target : source, format, ref status);

        // A denormal in memory is a normal number by now; NaNs, invalid operands and divisions by zero come before it.
        bool isFinal = (status.Flags & (FloatFlags.Invalid | FloatFlags.ZeroDivide)) != 0 || target.IsNaN;
        status.Raise(isDenormal && !isFinal ? FloatFlags.Denormal : FloatFlags.None);
        return result;
    }

    private static bool X87Compare(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool isDenormal = false;
        Float80 source;
        bool isEmpty = IsEmpty(s, 0);
        if (i.Operation == Operation.Ftst)
        {
            source = Float80.Zero(false);
        }
        else if (!i.HasMemoryOperand)
        {
            int register = i.Operation is Operation.Fcompp or Operation.Fucompp ? 1 : i.Rm & 7;
            isEmpty |= IsEmpty(s, register);
            source = GetSt(s, register);
        }
        else if (!ReadX87Operand(ref cpu, s, in i, out source, out isDenormal))
        {
            return false;
        }

        FloatStatus status = X87Status(s);
        FloatRelation relation = FloatRelation.Unordered;
        if (isEmpty)
        {
            RaiseStackFault(s, ref status, isOverflow: false);
        }
        else
        {
            bool signals = i.Operation is not (Operation.Fucom or Operation.Fucomp or Operation.Fucompp or Operation.Fucomi or Operation.Fucomip);
            relation = ExtendedFloat.Compare(GetSt(s, 0), source, signals, ref status);
            status.Raise(isDenormal && relation != FloatRelation.Unordered ? FloatFlags.Denormal : FloatFlags.None);
        }

        // An exception that is not masked leaves the flags alone (volume 2, FCOM and FCOMI); AMD's processors set them, and do not pop.
        if (!IsStopped(in status) || s.IsAmd)
        {
            SetRelation(s, i.Operation, relation);
        }

        if (!IsStopped(in status))
        {
            if (IsPopping(i.Operation))
            {
                Pop(s);
            }

            if (i.Operation is Operation.Fcompp or Operation.Fucompp)
            {
                Pop(s);
            }
        }

        // FCOMI and its kind clear C1 (volume 2, FCOMI), but on AMD's processors for stack faults only.
        bool setsFlags = i.Operation is Operation.Fcomi or Operation.Fcomip or Operation.Fucomi or Operation.Fucomip;
        return FinishX87(ref cpu, s, in i, in status, keepsC1: setsFlags && s.IsAmd && !isEmpty);
    }

    private static void SetRelation(CpuState s, Operation operation, FloatRelation relation)
    {
        if (operation is Operation.Fcomi or Operation.Fcomip or Operation.Fucomi or Operation.Fucomip)
        {
            SetStatus(s, FlagsOf(relation));
            return;
        }

        int conditions = relation switch
        {
            FloatRelation.Unordered => C3 | C2 | C0,
            FloatRelation.Less => C0,
            FloatRelation.Equal => C3,
            _ => 0,
        };
        s.Extended.Status = (ushort)(s.Extended.Status & ~(C3 | C2 | C0) | conditions);
    }

    private static bool X87Function(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = X87Status(s);
        bool isBinary = i.Operation is Operation.Fscale or Operation.Fprem or Operation.Fprem1;
        if (IsEmpty(s, 0) || isBinary && IsEmpty(s, 1))
        {
            RaiseStackFault(s, ref status, isOverflow: false);
            s.Extended.Status = (ushort)(s.Extended.Status & ~(i.Operation is Operation.Fprem or Operation.Fprem1 ? C2 : 0));
            if (!IsStopped(in status))
            {
                SetSt(s, 0, Float80.Indefinite);
                if (i.Operation == Operation.Fxtract)
                {
                    Push(s, Float80.Indefinite);
                }
            }

            return FinishX87(ref cpu, s, in i, in status);
        }

        Float80 value = GetSt(s, 0);
        switch (i.Operation)
        {
            case Operation.Fxtract:
                return Extract(ref cpu, s, in i, value, ref status);
            case Operation.Fprem or Operation.Fprem1:
                return Remainder(ref cpu, s, in i, value, ref status);
            default:
                break;
        }

        Float80 result = i.Operation switch
        {
            Operation.Fsqrt => ExtendedFloat.SquareRoot(value, X87Precision(s), ref status),
            Operation.Frndint => ExtendedFloat.RoundToIntegral(value, ref status),
            _ => ExtendedFloat.Scale(value, GetSt(s, 1), ref status),
        };
        if (!IsStopped(in status))
        {
            SetSt(s, 0, result);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    /// <summary>FXTRACT: the exponent takes the operand's place, the significand is pushed.</summary>
    private static bool Extract(ref TCpu cpu, CpuState s, in Instruction i, Float80 value, ref FloatStatus status)
    {
        Float80 exponent;
        Float80 significand;
        if (!IsEmpty(s, 7))
        {
            RaiseStackFault(s, ref status, isOverflow: true);
            exponent = significand = Float80.Indefinite;
        }
        else if (ExtendedFloat.TryPropagate(value, value, ref status, out Float80 special))
        {
            exponent = significand = special;
        }
        else if (value.IsInfinity)
        {
            exponent = Float80.Infinity(false);
            significand = value;
        }
        else if (value.IsZero)
        {
            status.Raise(FloatFlags.ZeroDivide);
            exponent = Float80.Infinity(true);
            significand = value;
        }
        else
        {
            ExtendedFloat.RaiseDenormal(value, value, ref status);
            ExactValue exact = value.Unpack();
            exponent = Float80.FromInteger(exact.Exponent);
            significand = Float80.FromExact(new(exact.Negative, 0, exact.Significand));
        }

        if (!IsStopped(in status))
        {
            SetSt(s, 0, exponent);
            Push(s, significand);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    /// <summary>C2 says that the reduction is not complete; else C0, C3 and C1 are the low bits of the quotient.</summary>
    private static bool Remainder(ref TCpu cpu, CpuState s, in Instruction i, Float80 value, ref FloatStatus status)
    {
        Float80 result = ExtendedRemainder.Compute(
            value, GetSt(s, 1), i.Operation == Operation.Fprem1, ref status, out ulong quotient, out bool isPartial);
        status.RoundedUp = (quotient & 1) != 0;
        int conditions = (isPartial ? C2 : 0) | ((quotient & 2) != 0 ? C3 : 0) | ((quotient & 4) != 0 ? C0 : 0);

        // NaNs, and exceptions that are not masked, say nothing of a quotient.
        bool hasQuotient = !result.IsNaN && !IsStopped(in status);
        conditions = hasQuotient ? conditions : 0;
        int changed = hasQuotient ? C3 | C2 | C0 : C2;
        s.Extended.Status = (ushort)(s.Extended.Status & ~changed | conditions);
        if (!IsStopped(in status))
        {
            SetSt(s, 0, result);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }
}
