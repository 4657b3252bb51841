// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The x87's loads, stores and moves among registers.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>The bytes of the memory operand of a load or a store.</summary>
    private static int X87MemoryBytes(in Instruction i) => i.Operation switch
    {
        Operation.Fbld or Operation.Fbstp => 10,
        Operation.Fld or Operation.Fst or Operation.Fstp => i.Opcode switch
        {
            0xD9 => 4,
            0xDD => 8,
            _ => 10,
        },
        _ => i.Opcode switch
        {
            0xDB => 4,
            0xDD => 8,
            _ => (i.Reg & 7) is 5 or 7 ? 8 : 2,
        },
    };

    /// <summary>Operands of ten bytes are aligned as their eight (volume 1, section 4.1.1).</summary>
    private static bool X87Address(CpuState s, in Instruction i, int size, bool write, out ulong linear)
        => size != 10
            ? Address(s, in i, size, write, out linear)
            : AddressUnaligned(s, in i, size, write, out linear) && IsAligned(s, linear, 8);

    private static bool X87Load(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = X87Status(s);
        Float80 value;
        if (i.HasMemoryOperand)
        {
            if (!ReadX87Memory(ref cpu, s, in i, ref status, out value))
            {
                return false;
            }
        }
        else
        {
            value = GetSt(s, i.Rm);
            if (IsEmpty(s, i.Rm & 7))
            {
                RaiseStackFault(s, ref status, isOverflow: false);
                value = Float80.Indefinite;
            }
        }

        return PushResult(ref cpu, s, in i, value, ref status);
    }

    /// <summary>Pushes, unless the register that becomes ST(0) is in use.</summary>
    private static bool PushResult(ref TCpu cpu, CpuState s, in Instruction i, Float80 value, ref FloatStatus status)
    {
        bool isUnderflow = !i.HasMemoryOperand && i.Operation == Operation.Fld && IsEmpty(s, i.Rm & 7);
        if (!IsEmpty(s, 7) && !isUnderflow)
        {
            status.Flags = FloatFlags.None;
            RaiseStackFault(s, ref status, isOverflow: true);
            value = Float80.Indefinite;
        }

        // AMD's processors load a denormal number even when its exception is not masked.
        bool isDenormalLoad = s.IsAmd && i.Operation == Operation.Fld && status.Flags == FloatFlags.Denormal;
        if (!IsStopped(in status) || isDenormalLoad)
        {
            Push(s, value);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    private static bool ReadX87Memory(ref TCpu cpu, CpuState s, in Instruction i, ref FloatStatus status, out Float80 value)
    {
        value = default;
        int size = X87MemoryBytes(in i);
        if (!X87Address(s, in i, size, write: false, out ulong linear))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[10];
        if (!ReadBytes(ref cpu, s, linear, bytes[..size]))
        {
            return false;
        }

        ulong low = size switch
        {
            2 => BitConverter.ToUInt16(bytes),
            4 => BitConverter.ToUInt32(bytes),
            _ => BitConverter.ToUInt64(bytes),
        };
        ushort high = BitConverter.ToUInt16(bytes[8..]);
        bool isDenormal = false;
        value = i.Operation switch
        {
            Operation.Fbld => PackedDecimal.Read(low, high),
            Operation.Fild => Float80.FromInteger(size == 2 ? (short)low : size == 4 ? (int)low : (long)low),
            _ when size == 4 => BinaryFloat<Single32>.ToExtended(low, out isDenormal),
            _ when size == 8 => BinaryFloat<Double64>.ToExtended(low, out isDenormal),
            _ => new(low, high),
        };
        if (i.Operation == Operation.Fld && size < 10)
        {
            status.Raise(isDenormal ? FloatFlags.Denormal : value.IsSignaling ? FloatFlags.Invalid : FloatFlags.None);
            value = value.IsSignaling ? value.Quiet() : value;
        }

        return true;
    }

    private static bool X87Store(ref TCpu cpu, CpuState s, in Instruction i)
    {
        bool pops = i.Operation is not (Operation.Fst or Operation.Fist);
        FloatStatus status = X87Status(s);
        if (!i.HasMemoryOperand)
        {
            if (!IsEmpty(s, 0))
            {
                SetSt(s, i.Rm, GetSt(s, 0));
            }
            else if (i.Operation != Operation.Fstpnce)
            {
                RaiseStackFault(s, ref status, isOverflow: false);
                if (!IsStopped(in status))
                {
                    SetSt(s, i.Rm, Float80.Indefinite);
                }
            }

            if (pops && !IsStopped(in status))
            {
                Pop(s);
            }

            return FinishX87(ref cpu, s, in i, in status);
        }

        if (i.Operation == Operation.Fisttp && !s.Has(CpuFeatures.Sse3))
        {
            return Undefined(s);
        }

        int size = X87MemoryBytes(in i);
        if (!X87Address(s, in i, size, write: true, out ulong linear) || !ProbeWrite(ref cpu, s, linear, size))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[10];
        ConvertToMemory(s, in i, size, bytes, ref status);

        // Overflow and underflow that are not masked leave memory and stack alone (volume 1, sections 8.5.4 and 8.5.5).
        const FloatFlags Stopping = FloatFlags.All & ~FloatFlags.Precision;
        if ((status.Flags & ~status.Masks & Stopping) == 0)
        {
            if (!WriteBytes(ref cpu, s, linear, bytes[..size]))
            {
                return false;
            }

            if (pops)
            {
                Pop(s);
            }
        }
        else
        {
            // What is not stored is not rounded.
            status.Flags &= ~FloatFlags.Precision;
            status.RoundedUp &= (status.Flags & FloatFlags.Invalid) != 0;
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    private static void ConvertToMemory(CpuState s, in Instruction i, int size, Span<byte> bytes, ref FloatStatus status)
    {
        Float80 value = GetSt(s, 0);
        if (IsEmpty(s, 0))
        {
            // The integer indefinites that a NaN gives are those of a stack fault too.
            RaiseStackFault(s, ref status, isOverflow: false);
            value = Float80.Indefinite;
        }

        ulong low;
        ushort high = 0;
        if (i.Operation == Operation.Fbstp)
        {
            (low, high) = PackedDecimal.Write(value, ref status);
        }
        else if (i.Operation is Operation.Fst or Operation.Fstp)
        {
            low = size switch
            {
                4 => BinaryFloat<Single32>.FromExtended(value, ref status),
                8 => BinaryFloat<Double64>.FromExtended(value, ref status),
                _ => value.Significand,
            };
            high = value.SignExponent;
        }
        else
        {
            RoundingMode mode = i.Operation == Operation.Fisttp ? RoundingMode.TowardZero : status.Rounding;
            low = ExtendedFloat.TryToInteger(value, size * 8, mode, ref status, out long integer) ? (ulong)integer : 1UL << size * 8 - 1;
        }

        BitConverter.TryWriteBytes(bytes, low);
        BitConverter.TryWriteBytes(bytes[8..], high);
    }

    /// <summary>Constants round as the control word says (volume 2, FLD1 and its kind), without an exception.</summary>
    private static bool LoadConstant(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = X87Status(s);
        FloatStatus rounding = new(status.Rounding, FloatFlags.All);
        Float80 value = i.Operation switch
        {
            Operation.Fldz => Float80.Zero(false),
            Operation.Fld1 => Float80.One,
            Operation.Fldl2t => Float80.From(FloatConstants.Log2Of10, FloatFormat.Extended, ref rounding),
            Operation.Fldl2e => Float80.From(FloatConstants.Log2OfE, FloatFormat.Extended, ref rounding),
            Operation.Fldpi => Float80.From(FloatConstants.Pi, FloatFormat.Extended, ref rounding),
            Operation.Fldlg2 => Float80.From(FloatConstants.Log10Of2, FloatFormat.Extended, ref rounding),
            _ => Float80.From(FloatConstants.LogOf2, FloatFormat.Extended, ref rounding),
        };
        return PushResult(ref cpu, s, in i, value, ref status);
    }

    private static bool X87Move(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = X87Status(s);
        int register = i.Rm & 7;
        switch (i.Operation)
        {
            case Operation.Ffree or Operation.Ffreep:
                Free(s, register);
                if (i.Operation == Operation.Ffreep)
                {
                    Pop(s);
                }

                break;
            case Operation.Fincstp:
                MoveTop(s, 1);
                break;
            case Operation.Fdecstp:
                MoveTop(s, -1);
                break;
            case Operation.Fxam:
                Examine(s, ref status);
                break;
            case Operation.Fxch:
                ExchangeSt(s, register, ref status);
                break;
            case Operation.Fchs or Operation.Fabs:
                if (IsEmpty(s, 0))
                {
                    RaiseStackFault(s, ref status, isOverflow: false);
                }

                if (!IsStopped(in status))
                {
                    Float80 value = GetSt(s, 0);
                    SetSt(s, 0, IsEmpty(s, 0) ? Float80.Indefinite : i.Operation == Operation.Fchs ? value.Negate() : value.Abs());
                }

                break;
            default:
                MoveConditionally(s, in i, register, ref status);
                return FinishX87(ref cpu, s, in i, in status, keepsC1: status.Flags == FloatFlags.None);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    private static void ExchangeSt(CpuState s, int register, ref FloatStatus status)
    {
        Float80 first = IsEmpty(s, 0) ? Float80.Indefinite : GetSt(s, 0);
        Float80 second = IsEmpty(s, register) ? Float80.Indefinite : GetSt(s, register);
        if (IsEmpty(s, 0) || IsEmpty(s, register))
        {
            RaiseStackFault(s, ref status, isOverflow: false);
        }

        if (!IsStopped(in status))
        {
            SetSt(s, 0, second);
            SetSt(s, register, first);
        }
    }

    private static void MoveConditionally(CpuState s, in Instruction i, int register, ref FloatStatus status)
    {
        if (IsEmpty(s, 0) || IsEmpty(s, register))
        {
            RaiseStackFault(s, ref status, isOverflow: false);
            if (!IsStopped(in status))
            {
                SetSt(s, 0, Float80.Indefinite);
            }

            return;
        }

        bool condition = i.Operation switch
        {
            Operation.Fcmovb or Operation.Fcmovnb => (s.Rflags & FlagBits.Carry) != 0,
            Operation.Fcmove or Operation.Fcmovne => (s.Rflags & FlagBits.Zero) != 0,
            Operation.Fcmovbe or Operation.Fcmovnbe => (s.Rflags & (FlagBits.Carry | FlagBits.Zero)) != 0,
            _ => (s.Rflags & FlagBits.Parity) != 0,
        };
        bool isNegated = i.Operation is Operation.Fcmovnb or Operation.Fcmovne or Operation.Fcmovnbe or Operation.Fcmovnu;
        if (condition != isNegated)
        {
            SetSt(s, 0, GetSt(s, register));
        }
    }

    /// <summary>FXAM: C1 is the sign, of an empty register too; C3, C2 and C0 the class (volume 2, FXAM).</summary>
    private static void Examine(CpuState s, ref FloatStatus status)
    {
        Float80 value = GetSt(s, 0);
        status.RoundedUp = value.Negative;
        int conditions = IsEmpty(s, 0) ? C3 | C0
            : value.IsUnsupported ? 0
            : value.IsNaN ? C0
            : value.IsInfinity ? C2 | C0
            : value.IsZero ? C3
            : value.IsDenormal ? C3 | C2
            : C2;
        s.Extended.Status = (ushort)(s.Extended.Status & ~(C3 | C2 | C0) | conditions);
    }
}
