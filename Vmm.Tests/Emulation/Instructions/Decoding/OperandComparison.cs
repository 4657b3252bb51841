// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Emulation.Instructions.Decoding;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;
using IcedInstruction = Iced.Intel.Instruction;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>Compares operands: registers, memory operands part by part, immediates, targets, and operand sizes of general registers.</summary>
internal static class OperandComparison
{
    private static readonly string[][] s_letters = [.. Enum.GetValues<Pattern>().Select(Letters)];

    /// <summary>Their operands have sizes of their own beside the operand size.</summary>
    private static readonly HashSet<Operation> s_mixedSizes =
    [
        Operation.Movzx, Operation.Movsx, Operation.Movsxd, Operation.Crc32, Operation.Lar, Operation.Lsl, Operation.MovSreg, Operation.Smsw,
        Operation.Sldt, Operation.Str, Operation.Arpl, Operation.Movdir64b, Operation.Enqcmd, Operation.Enqcmds, Operation.Bound, Operation.Les,
        Operation.Lds, Operation.Lss, Operation.Lfs, Operation.Lgs, Operation.Fxsave, Operation.Fxrstor, Operation.Xsave, Operation.Xrstor,
        Operation.Xsaveopt, Operation.Xsavec, Operation.Xsaves, Operation.Xrstors, Operation.Cmpxchg8b, Operation.Cmpxchg16b, Operation.CallFar,
        Operation.JmpFar, Operation.Invpcid, Operation.Invept, Operation.Invvpid, Operation.Ptwrite, Operation.Sgdt, Operation.Sidt,
        Operation.Lgdt, Operation.Lidt, Operation.Lmsw, Operation.Verr, Operation.Verw, Operation.Lldt, Operation.Ltr, Operation.Lkgs, Operation.Rdpid,
        Operation.Senduipi, Operation.Umonitor, Operation.Lea, Operation.Invlpg, Operation.Tpause, Operation.Umwait, Operation.Sttilecfg, Operation.Ldtilecfg, Operation.Aesencwide128kl, Operation.Aesdecwide128kl,
        Operation.Aesencwide256kl, Operation.Aesdecwide256kl,
    ];

    internal static string? Difference(in IcedInstruction expected, in Instruction actual, CodeSize codeSize)
    {
        if (actual.HasMemoryOperand && Memory(in expected, in actual, codeSize) is { } difference)
        {
            return difference;
        }

        // Iced lists the implied destination of the masked stores.
        int operand = expected.Op0Kind is OpKind.MemorySegDI or OpKind.MemorySegEDI or OpKind.MemorySegRDI ? 1 : 0;
        foreach (string letter in s_letters[(int)actual.Pattern])
        {
            if (operand >= expected.OpCount)
            {
                return letter == "I" || actual.Pattern is Pattern.E ? null : $"operand count at {letter}";
            }

            if (!Same(in expected, operand, letter, in actual, codeSize))
            {
                return $"operand {operand} ({letter})";
            }

            operand++;
        }

        return null;
    }

    private static bool Same(in IcedInstruction expected, int operand, string letter, in Instruction actual, CodeSize codeSize)
    {
        OpKind kind = expected.GetOpKind(operand);
        bool vector = actual.Pattern >= Pattern.VW;
        bool checkSize = !vector && !s_mixedSizes.Contains(actual.Operation);
        switch (letter)
        {
            case "E" or "W" or "Q" or "KW":
                return actual.HasMemoryOperand
                    ? kind == OpKind.Memory && (!checkSize || MemorySizeIs(in expected, actual.OperandSize))
                    : kind == OpKind.Register && Register(expected.GetOpRegister(operand), actual.Rm, in actual, checkSize);
            case "G" or "V" or "P" or "K" or "C" or "D":
                return kind == OpKind.Register && Register(expected.GetOpRegister(operand), actual.Reg, in actual, checkSize);
            case "S":
                return kind == OpKind.Register && expected.GetOpRegister(operand).GetNumber() == (actual.Reg & 7);
            case "B" or "H" or "KH":
                return kind == OpKind.Register && Register(expected.GetOpRegister(operand), actual.Vvvv, in actual, checkSize);
            case "Z":
                return Register(expected.GetOpRegister(operand), actual.Rm, in actual, checkSize);
            case "L":
                return kind == OpKind.Register && expected.GetOpRegister(operand).GetNumber() == ((int)(actual.Immediate >> 4) & (codeSize == CodeSize.Bits64 ? 15 : 7));
            case "I":
                return kind >= OpKind.Immediate8 && Immediate(in expected, operand, in actual);
            case "J":
                return expected.NearBranchTarget == Truncate(0x1000UL + (ulong)actual.Length + actual.Immediate, expected.GetOpKind(0));
            case "p":
                return expected.FarBranchSelector == actual.Immediate >> 32 && (expected.FarBranch16 == (uint)actual.Immediate || expected.FarBranch32 == (uint)actual.Immediate);
            case "O":
                return kind == OpKind.Memory && expected.MemoryDisplacement64 == actual.Immediate;
            default:
                return true;
        }
    }

    private static bool Immediate(in IcedInstruction expected, int operand, in Instruction actual)
    {
        ulong value = expected.GetOpKind(operand) == OpKind.Immediate8_2nd ? expected.Immediate8_2nd : expected.GetImmediate(operand);
        ulong mask = actual.OperandSize == 8 ? ulong.MaxValue : (1UL << actual.OperandSize * 8) - 1;
        if (actual.Operation is Operation.Insertq or Operation.Extrq)
        {
            return true;
        }

        ulong ours = actual.Immediate;
        if (actual.Pattern == Pattern.II)
        {
            return operand == 0 ? value == (ours & 0xFFFF) : value == ours >> 16;
        }

        return (value & mask) == (ours & mask) || value == (byte)ours && actual.OperandSize > 1 && value <= 0xFF && ours <= 0xFF
            || (value & 0xFFFF) == ours;
    }

    private static ulong Truncate(ulong target, OpKind kind) => kind switch
    {
        OpKind.NearBranch16 => (ushort)target,
        OpKind.NearBranch32 => (uint)target,
        _ => target,
    };

    private static bool MemorySizeIs(in IcedInstruction expected, int size)
        => expected.MemorySize == MemorySize.Unknown || expected.MemorySize.GetSize() == size;

    private static bool Register(Register register, int number, in Instruction actual, bool checkSize)
    {
        if (register is >= Iced.Intel.Register.AH and <= Iced.Intel.Register.BH)
        {
            return !actual.HasRex && !actual.IsVex && number == register - Iced.Intel.Register.AH + 4;
        }

        bool legacyHigh = register is >= Iced.Intel.Register.SPL and <= Iced.Intel.Register.DIL && !actual.HasRex;
        int expected = register.GetNumber();
        if (register.IsGPR8() && expected > 7)
        {
            // Iced counts AH to BH before SPL.
            expected -= 4;
        }

        bool isMasked = register.IsMM() || register.IsK();
        return !legacyHigh && expected == (isMasked ? number & 7 : number)
            && (!checkSize || !register.IsGPR() || register.GetSize() == actual.OperandSize);
    }

    private static string? Memory(in IcedInstruction expected, in Instruction actual, CodeSize codeSize)
    {
        if (expected.IsIPRelativeMemoryOperand)
        {
            ulong target = Truncate(0x1000UL + (ulong)actual.Length + (ulong)actual.Displacement, actual.AddressSize == 4 ? OpKind.NearBranch32 : OpKind.NearBranch64);
            return actual.Base == Instruction.RipRegister && target == expected.IPRelativeMemoryAddress ? null : "RIP-relative address";
        }

        if (!SameRegister(expected.MemoryBase, actual.Base) || !SameRegister(expected.MemoryIndex, actual.Index))
        {
            return "base or index";
        }

        if (expected.MemoryIndex != Iced.Intel.Register.None && expected.MemoryIndexScale != 1 << actual.Scale)
        {
            return "scale";
        }

        ulong mask = actual.AddressSize switch
        {
            2 => 0xFFFFUL,
            4 => uint.MaxValue,
            _ => ulong.MaxValue,
        };
        if ((expected.MemoryDisplacement64 & mask) != ((ulong)actual.Displacement & mask))
        {
            return "displacement";
        }

        bool segmentMatters = codeSize != CodeSize.Bits64 || expected.MemorySegment is Iced.Intel.Register.FS or Iced.Intel.Register.GS || actual.Segment > 3;
        return !segmentMatters || expected.MemorySegment.GetNumber() == actual.Segment ? null : "segment";
    }

    private static bool SameRegister(Register register, int number)
        => register == Iced.Intel.Register.None ? number == Instruction.NoRegister : number == register.GetNumber();

    private static string[] Letters(Pattern pattern) => pattern switch
    {
        Pattern.None or Pattern.String or Pattern.St => [],
        Pattern.E1 => ["E", "?"],
        Pattern.Ecl => ["E", "?"],
        Pattern.EGcl => ["E", "G", "?"],
        Pattern.ZA => ["Z", "?"],
        Pattern.A or Pattern.Adx or Pattern.DxA => ["?", "?"],
        Pattern.II => ["I", "I"],
        Pattern.IA => ["I", "?"],
        Pattern.AI => ["?", "I"],
        Pattern.AO => ["?", "O"],
        Pattern.OA => ["O", "?"],
        Pattern.Ap => ["p"],
        Pattern.KKW => ["K", "KW"],
        Pattern.KWK => ["KW", "K"],
        Pattern.KKWI => ["K", "KW", "I"],
        Pattern.KKHKW => ["K", "KH", "KW"],
        Pattern.GKW => ["G", "KW"],
        _ => [.. pattern.ToString().Select(static c => c.ToString())],
    };
}
