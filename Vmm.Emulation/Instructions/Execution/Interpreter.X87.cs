// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The x87: dispatch, the register stack, exceptions and the pointers that go with them (volume 1, chapter 8).</summary>
internal static partial class Interpreter<TCpu>
{
    private const ushort StackFaultBit = 1 << 6;
    private const ushort SummaryBits = 0x8080;
    private const ushort C0 = 1 << 8;
    private const ushort C1 = 1 << 9;
    private const ushort C2 = 1 << 10;
    private const ushort C3 = 1 << 14;

    /// <summary>Executes what works on registers or memory operands; the first instruction behind an unmasked exception reports it.</summary>
    private static bool DispatchX87(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if ((s.Cr0 & (Cr0Em | Cr0Ts)) != 0)
        {
            return Fault(s, Vector.DeviceNotAvailable);
        }

        switch (i.Operation)
        {
            case Operation.Fneni or Operation.Fndisi or Operation.Fnsetpm:
                // They meant something to the 8087 and the 80287 only.
                return true;
            case Operation.Fnstenv:
                return StoreEnvironment(ref cpu, s, in i);
            case Operation.Fnsave:
                return SaveAll(ref cpu, s, in i);
            default:
                break;
        }

        if ((s.Extended.Status & 0x80) != 0)
        {
            return Fault(s, Vector.MathFault);
        }

        switch (i.Operation)
        {
            case Operation.Fldenv:
                return LoadEnvironment(ref cpu, s, in i);
            case Operation.Frstor:
                return RestoreAll(ref cpu, s, in i);
            case Operation.Fadd or Operation.Faddp or Operation.Fiadd or Operation.Fmul or Operation.Fmulp or Operation.Fimul
                or Operation.Fsub or Operation.Fsubp or Operation.Fisub or Operation.Fsubr or Operation.Fsubrp or Operation.Fisubr
                or Operation.Fdiv or Operation.Fdivp or Operation.Fidiv or Operation.Fdivr or Operation.Fdivrp or Operation.Fidivr:
                return X87Arithmetic(ref cpu, s, in i);
            case Operation.Fcom or Operation.Fcomp or Operation.Fcompp or Operation.Ficom or Operation.Ficomp or Operation.Fucom or Operation.Fucomp
                or Operation.Fucompp or Operation.Ftst or Operation.Fcomi or Operation.Fcomip or Operation.Fucomi or Operation.Fucomip:
                return X87Compare(ref cpu, s, in i);
            case Operation.Fld or Operation.Fild or Operation.Fbld:
                return X87Load(ref cpu, s, in i);
            case Operation.Fst or Operation.Fstp or Operation.Fstpnce or Operation.Fist or Operation.Fistp or Operation.Fisttp or Operation.Fbstp:
                return X87Store(ref cpu, s, in i);
            case Operation.Fld1 or Operation.Fldl2t or Operation.Fldl2e or Operation.Fldpi or Operation.Fldlg2 or Operation.Fldln2 or Operation.Fldz:
                return LoadConstant(ref cpu, s, in i);
            case Operation.Fnop:
                RecordX87(ref cpu, s, in i, isExceptional: false);
                return true;
            case Operation.Ffree or Operation.Ffreep or Operation.Fincstp or Operation.Fdecstp or Operation.Fxch or Operation.Fcmovb
                or Operation.Fcmove or Operation.Fcmovbe or Operation.Fcmovu or Operation.Fcmovnb or Operation.Fcmovne or Operation.Fcmovnbe
                or Operation.Fcmovnu or Operation.Fxam or Operation.Fchs or Operation.Fabs:
                return X87Move(ref cpu, s, in i);
            case Operation.Fsqrt or Operation.Frndint or Operation.Fscale or Operation.Fxtract or Operation.Fprem or Operation.Fprem1:
                return X87Function(ref cpu, s, in i);
            case Operation.Fsin or Operation.Fcos or Operation.Fsincos or Operation.Fptan or Operation.Fpatan or Operation.F2xm1 or Operation.Fyl2x
                or Operation.Fyl2xp1:
                return X87Transcendental(ref cpu, s, in i);
            default:
                return NotExecutable(s);
        }
    }

    /// <summary>Rounding and masks of the control word.</summary>
    private static FloatStatus X87Status(CpuState s)
        => new((RoundingMode)(s.Extended.ControlWord >> 10 & 3), (FloatFlags)s.Extended.ControlWord & FloatFlags.All);

    /// <summary>The precision that the control word asks of the four operations and the square root; results keep the wide range of exponents.</summary>
    private static FloatFormat X87Precision(CpuState s) => (s.Extended.ControlWord >> 8 & 3) switch
    {
        0 => new(24, 16383),
        2 => new(53, 16383),
        _ => FloatFormat.Extended,
    };

    private static Float80 GetSt(CpuState s, int register)
    {
        ReadOnlySpan<byte> slot = s.Extended.Image.Slice(ExtendedState.St0 + (register & 7) * 16, 16);
        return new(MemoryMarshal.Read<ulong>(slot), MemoryMarshal.Read<ushort>(slot[8..]));
    }

    /// <summary>Writes a register, which is in use then.</summary>
    private static void SetSt(CpuState s, int register, Float80 value)
    {
        Span<byte> slot = s.Extended.Image.Slice(ExtendedState.St0 + (register & 7) * 16, 16);
        ulong significand = value.Significand;
        ulong signExponent = value.SignExponent;
        MemoryMarshal.Write(slot, in significand);
        MemoryMarshal.Write(slot[8..], in signExponent);
        s.Extended.AbridgedTags |= (byte)(1 << Physical(s, register));
    }

    private static int Top(CpuState s) => s.Extended.Status >> 11 & 7;

    private static int Physical(CpuState s, int register) => Top(s) + register & 7;

    private static bool IsEmpty(CpuState s, int register) => (s.Extended.AbridgedTags >> Physical(s, register) & 1) == 0;

    private static void Free(CpuState s, int register) => s.Extended.AbridgedTags &= (byte)~(1 << Physical(s, register));

    /// <summary>Moves TOP. The image holds ST(0) first, so that its registers turn with it.</summary>
    private static void MoveTop(CpuState s, int by)
    {
        by &= 7;
        Span<Vector128<byte>> registers = MemoryMarshal.Cast<byte, Vector128<byte>>(s.Extended.Image.Slice(ExtendedState.St0, 128));
        Span<Vector128<byte>> first = stackalloc Vector128<byte>[8];
        first = first[..by];
        registers[..by].CopyTo(first);
        registers[by..].CopyTo(registers);
        first.CopyTo(registers[(8 - by)..]);
        s.Extended.Status = (ushort)(s.Extended.Status & ~0x3800 | (Top(s) + by & 7) << 11);
    }

    private static void Push(CpuState s, Float80 value)
    {
        MoveTop(s, -1);
        SetSt(s, 0, value);
    }

    private static void Pop(CpuState s)
    {
        Free(s, 0);
        MoveTop(s, 1);
    }

    /// <summary>Whether an exception keeps the result from being written: one of the operands' that is not masked.</summary>
    private static bool IsStopped(in FloatStatus status) => (status.Flags & FloatFlags.Operands & ~status.Masks) != 0;

    /// <summary>An empty register was read, or one in use would be overwritten by a push, with C1 set then.</summary>
    private static void RaiseStackFault(CpuState s, ref FloatStatus status, bool isOverflow)
    {
        status.Raise(FloatFlags.Invalid);
        s.Extended.Status |= StackFaultBit;
        status.RoundedUp = isOverflow;
    }

    /// <summary>Sets flags, C1 and the pointers. Exceptions that are not masked are reported by the next waiting instruction.</summary>
    private static bool FinishX87(ref TCpu cpu, CpuState s, in Instruction i, in FloatStatus status, bool keepsC1 = false)
    {
        ExtendedState x = s.Extended;
        FloatFlags raised = status.Flags;
        FloatFlags unmasked = raised & ~status.Masks;
        if ((unmasked & FloatFlags.Operands) != 0)
        {
            raised &= FloatFlags.Operands;
        }

        // A result that is not computed is not rounded; only a stack fault sets C1 then.
        bool isUp = status.RoundedUp && ((unmasked & (FloatFlags.Denormal | FloatFlags.ZeroDivide)) == 0 || (raised & FloatFlags.Invalid) != 0);
        int c1 = keepsC1 ? x.Status & C1 : isUp ? C1 : 0;
        x.Status = (ushort)(x.Status & ~C1 | (int)raised | c1 | (unmasked != 0 ? SummaryBits : 0));
        RecordX87(ref cpu, s, in i, unmasked != 0);
        return true;
    }

    /// <summary>
    /// The instruction and data pointers of the last instruction that was not control; the opcode when it raised an exception that is not
    /// masked (volume 1, sections 8.1.8 and 8.1.9). Selectors are not kept (CPUID.7.0:EBX bit 13).
    /// </summary>
    private static void RecordX87(ref TCpu cpu, CpuState s, in Instruction i, bool isExceptional)
    {
        Span<byte> image = s.Extended.Image;
        ulong rip = s.Rip;
        MemoryMarshal.Write(image[ExtendedState.InstructionPointer..], in rip);
        if (i.HasMemoryOperand)
        {
            ulong offset = Effective(s, in i);
            MemoryMarshal.Write(image[ExtendedState.DataPointer..], in offset);
        }

        if (isExceptional)
        {
            ushort opcode = FetchX87Opcode(ref cpu, s, in i);
            MemoryMarshal.Write(image[ExtendedState.LastOpcode..], in opcode);
        }
    }

    /// <summary>The low bits of the first opcode byte and the second byte. Prefixes are none of D8 to DF.</summary>
    private static ushort FetchX87Opcode(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int escape = 0;
        ulong codeBase = i.CodeSize == CodeSize.Bits64 ? 0 : s.Segments[(int)SegmentName.Cs].Base;
        for (int at = 0; at < i.Length; at++)
        {
            ulong linear = codeBase + s.Rip + (uint)at;
            linear = i.CodeSize == CodeSize.Bits64 ? linear : (uint)linear;
            if (!Translate(ref cpu, s, linear, TranslationCache.Fetch, out ulong physical))
            {
                return 0;
            }

            ref byte code = ref cpu.Ram(physical, 1, write: false);
            if (System.Runtime.CompilerServices.Unsafe.IsNullRef(ref code))
            {
                return 0;
            }

            if (escape != 0)
            {
                return (ushort)((escape & 7) << 8 | code);
            }

            escape = (code & 0xF8) == 0xD8 ? code : 0;
        }

        return 0;
    }
}
