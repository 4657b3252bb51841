// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>One encoding in the manual's notation; the columns are prefix, opcode, ModRM, operation, operands, traits, W and L.</summary>
internal readonly struct OpcodeRow
{
    internal OpcodeRow(Pp pp, byte opcode, Slash slash, Operation operation, Form form, Traits traits = Traits.None, Wide wide = Wide.None)
    {
        Opcode = opcode;
        Pp = pp;
        Slash = slash;
        Operation = operation;
        Form = form;
        Traits = traits;
        Wide = wide;
    }

    internal OpcodeRow(byte opcode, Operation operation, Form form, Traits traits = Traits.None)
        : this(Pp.Any, opcode, Slash.None, operation, form, traits)
    {
    }

    internal OpcodeRow(byte opcode, Slash slash, Operation operation, Form form, Traits traits = Traits.None)
        : this(Pp.Any, opcode, slash, operation, form, traits)
    {
    }

    internal byte Opcode { get; }

    internal Pp Pp { get; }

    internal Slash Slash { get; }

    internal Operation Operation { get; }

    internal Form Form { get; }

    internal Traits Traits { get; }

    internal Wide Wide { get; }

    /// <summary>Whether ModRM.reg, and with <see cref="Slash.Exact"/> rm, is part of the opcode.</summary>
    internal bool IsGroup => Slash >= Slash.S0 || Slash is Slash.Mem or Slash.Reg;

    /// <summary>Whether the row covers a group index: ModRM.reg, plus 8 for a register operand.</summary>
    internal bool Covers(int group)
    {
        int digit = group & 7;
        bool register = group >= 8;
        return Slash switch
        {
            >= Slash.Exact => register && (((int)Slash >> 3) & 7) == digit,
            >= Slash.G0 => register && (int)Slash - (int)Slash.G0 == digit,
            >= Slash.M0 => !register && (int)Slash - (int)Slash.M0 == digit,
            >= Slash.S0 => (int)Slash - (int)Slash.S0 == digit,
            Slash.Mem => !register,
            Slash.Reg => register,
            _ => true,
        };
    }
}
