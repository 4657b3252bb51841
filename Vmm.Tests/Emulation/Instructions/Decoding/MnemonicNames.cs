// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Emulation.Instructions.Decoding;
using IcedInstruction = Iced.Intel.Instruction;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>Relates Iced's codes to our operations, which have one name for a family that differs in size or condition.</summary>
internal static class MnemonicNames
{
    private static readonly Dictionary<Code, Operation> s_operations = Build();

    internal static bool Same(in IcedInstruction expected, Operation actual)
        => s_operations.TryGetValue(expected.Code, out Operation operation) && operation == actual;

    /// <summary>The operation of an Iced code; <see cref="Operation.Invalid"/> for one that we do not name.</summary>
    internal static Operation Of(Code code) => s_operations.GetValueOrDefault(code);

    private static Dictionary<Code, Operation> Build()
    {
        Dictionary<Code, Operation> operations = [];
        foreach (Code code in Enum.GetValues<Code>())
        {
            if (Enum.TryParse(Name(code), out Operation operation))
            {
                operations[code] = operation;
            }
        }

        return operations;
    }

    private static string Name(Code code)
    {
        string mnemonic = code.Mnemonic().ToString();
        string name = code.ToString();
        if (code.IsJccShortOrNear())
        {
            return nameof(Operation.Jcc);
        }

        if (code.ConditionCode() != ConditionCode.None)
        {
            if (mnemonic.StartsWith("Set", StringComparison.Ordinal))
            {
                return nameof(Operation.Setcc);
            }

            if (mnemonic.StartsWith("Cmov", StringComparison.Ordinal))
            {
                return nameof(Operation.Cmovcc);
            }
        }

        if (name.EndsWith("_Sreg", StringComparison.Ordinal) || name.StartsWith("Mov_Sreg", StringComparison.Ordinal))
        {
            return nameof(Operation.MovSreg);
        }

        if (name.StartsWith("Mov_", StringComparison.Ordinal) && (name.EndsWith("_cr", StringComparison.Ordinal) || name.Contains("_cr_", StringComparison.Ordinal)))
        {
            return nameof(Operation.MovCr);
        }

        if (name.StartsWith("Mov_", StringComparison.Ordinal) && (name.EndsWith("_dr", StringComparison.Ordinal) || name.Contains("_dr_", StringComparison.Ordinal)))
        {
            return nameof(Operation.MovDr);
        }

        string first = name.Split('_')[0];
        bool segment = name.Length > 2 && name[^2..] is "ES" or "CS" or "SS" or "DS" or "FS" or "GS";
        return (first, mnemonic) switch
        {
            ("Pushw" or "Pushd" or "Pushq", _) when segment => nameof(Operation.PushSreg),
            ("Popw" or "Popd" or "Popq", _) when segment => nameof(Operation.PopSreg),
            ("Movsb" or "Movsw" or "Movsq", _) => nameof(Operation.Movs),
            ("Movsd", _) when name == "Movsd_m32_m32" => nameof(Operation.Movs),
            ("Cmpsb" or "Cmpsw" or "Cmpsq", _) => nameof(Operation.Cmps),
            ("Cmpsd", _) when name == "Cmpsd_m32_m32" => nameof(Operation.Cmps),
            ("Stosb" or "Stosw" or "Stosd" or "Stosq", _) => nameof(Operation.Stos),
            ("Lodsb" or "Lodsw" or "Lodsd" or "Lodsq", _) => nameof(Operation.Lods),
            ("Scasb" or "Scasw" or "Scasd" or "Scasq", _) => nameof(Operation.Scas),
            ("Insb" or "Insw" or "Insd", _) => nameof(Operation.Ins),
            ("Outsb" or "Outsw" or "Outsd", _) => nameof(Operation.Outs),
            (_, "Cbw" or "Cwde" or "Cdqe") => nameof(Operation.Cbw),
            (_, "Cwd" or "Cdq" or "Cqo") => nameof(Operation.Cwd),
            (_, "Pusha" or "Pushad") => nameof(Operation.Pusha),
            (_, "Popa" or "Popad") => nameof(Operation.Popa),
            (_, "Pushf" or "Pushfd" or "Pushfq") => nameof(Operation.Pushf),
            (_, "Popf" or "Popfd" or "Popfq") => nameof(Operation.Popf),
            (_, "Iret" or "Iretd" or "Iretq") => nameof(Operation.Iret),
            (_, "Jcxz" or "Jecxz" or "Jrcxz") => nameof(Operation.Jcxz),
            (_, "Xlatb") => nameof(Operation.Xlat),
            (_, "Sysretq") => nameof(Operation.Sysret),
            (_, "Sysexitq") => nameof(Operation.Sysexit),
            (_, "Getsecq") => nameof(Operation.Getsec),
            (_, "Reservednop") => nameof(Operation.ReservedNop),
            (_, "Rdsspq") => nameof(Operation.Rdsspd),
            (_, "Incsspq") => nameof(Operation.Incsspd),
            (_, "Wrssd" or "Wrssq") => nameof(Operation.Wrss),
            (_, "Wrussd" or "Wrussq") => nameof(Operation.Wruss),
            (_, "Fxsave64" or "Fxrstor64" or "Xsave64" or "Xsaveopt64" or "Xsavec64" or "Xsaves64" or "Xrstor64" or "Xrstors64") => mnemonic[..^2],
            (_, "Jmp") when name.StartsWith("Jmp_m16", StringComparison.Ordinal) || name.StartsWith("Jmp_ptr", StringComparison.Ordinal) => nameof(Operation.JmpFar),
            (_, "Call") when name.StartsWith("Call_m16", StringComparison.Ordinal) || name.StartsWith("Call_ptr", StringComparison.Ordinal) => nameof(Operation.CallFar),
            _ => mnemonic,
        };
    }
}
