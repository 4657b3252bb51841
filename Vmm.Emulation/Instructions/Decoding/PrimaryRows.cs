// SPDX-License-Identifier: BSD-2-Clause

using static Vmm.Emulation.Instructions.Decoding.Slash;

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The one-byte map without the x87 escapes (volume 2, appendix A.3, table A-2).</summary>
internal static class PrimaryRows
{
    /// <summary>What all modes have.</summary>
    internal static readonly OpcodeRow[] Common =
    [
        .. Arithmetic(0x00, Operation.Add, Traits.Lock),
        .. Arithmetic(0x08, Operation.Or, Traits.Lock),
        .. Arithmetic(0x10, Operation.Adc, Traits.Lock),
        .. Arithmetic(0x18, Operation.Sbb, Traits.Lock),
        .. Arithmetic(0x20, Operation.And, Traits.Lock),
        .. Arithmetic(0x28, Operation.Sub, Traits.Lock),
        .. Arithmetic(0x30, Operation.Xor, Traits.Lock),
        .. Arithmetic(0x38, Operation.Cmp, Traits.None),
        new(0x06, Operation.PushSreg,    Form.None, Traits.No64),
        new(0x07, Operation.PopSreg,     Form.None, Traits.No64),
        new(0x0E, Operation.PushSreg,    Form.None, Traits.No64),
        new(0x0F, Operation.Invalid,     Form.None, Traits.Escape),
        new(0x16, Operation.PushSreg,    Form.None, Traits.No64),
        new(0x17, Operation.PopSreg,     Form.None, Traits.No64),
        new(0x1E, Operation.PushSreg,    Form.None, Traits.No64),
        new(0x1F, Operation.PopSreg,     Form.None, Traits.No64),
        new(0x26, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x27, Operation.Daa,         Form.None, Traits.No64),
        new(0x2E, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x2F, Operation.Das,         Form.None, Traits.No64),
        new(0x36, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x37, Operation.Aaa,         Form.None, Traits.No64),
        new(0x3E, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x3F, Operation.Aas,         Form.None, Traits.No64),
        .. Eight(0x50, Operation.Push,   Form.Z64),
        .. Eight(0x58, Operation.Pop,    Form.Z64),
        new(0x60, Operation.Pusha,       Form.None, Traits.No64),
        new(0x61, Operation.Popa,        Form.None, Traits.No64),
        new(0x64, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x65, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x66, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x67, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0x68, Operation.Push,        Form.Iz64),
        new(0x69, Operation.Imul,        Form.GvEvIz),
        new(0x6A, Operation.Push,        Form.Ib64),
        new(0x6B, Operation.Imul,        Form.GvEvIb),
        new(0x6C, Operation.Ins,         Form.Xb),
        new(0x6D, Operation.Ins,         Form.Xz),
        new(0x6E, Operation.Outs,        Form.Xb),
        new(0x6F, Operation.Outs,        Form.Xz),
        .. Eight(0x70, Operation.Jcc,    Form.Jb),
        .. Eight(0x78, Operation.Jcc,    Form.Jb),
        .. Group1(0x80, Form.EbIb, Traits.None),
        .. Group1(0x81, Form.EvIz, Traits.None),
        .. Group1(0x82, Form.EbIb, Traits.No64),
        .. Group1(0x83, Form.EvIb, Traits.None),
        new(0x84, Operation.Test,        Form.EbGb),
        new(0x85, Operation.Test,        Form.EvGv),
        new(0x86, Operation.Xchg,        Form.EbGb, Traits.Lock),
        new(0x87, Operation.Xchg,        Form.EvGv, Traits.Lock),
        new(0x88, Operation.Mov,         Form.EbGb),
        new(0x89, Operation.Mov,         Form.EvGv),
        new(0x8A, Operation.Mov,         Form.GbEb),
        new(0x8B, Operation.Mov,         Form.GvEv),
        new(0x8C, S0, Operation.MovSreg,     Form.EvSw),
        new(0x8C, S1, Operation.MovSreg,     Form.EvSw),
        new(0x8C, S2, Operation.MovSreg,     Form.EvSw),
        new(0x8C, S3, Operation.MovSreg,     Form.EvSw),
        new(0x8C, S4, Operation.MovSreg,     Form.EvSw),
        new(0x8C, S5, Operation.MovSreg,     Form.EvSw),
        new(0x8D, Operation.Lea,         Form.GvEv, Traits.Memory),
        new(0x8E, S0, Operation.MovSreg,     Form.SwEw),
        new(0x8E, S2, Operation.MovSreg,     Form.SwEw),
        new(0x8E, S3, Operation.MovSreg,     Form.SwEw),
        new(0x8E, S4, Operation.MovSreg,     Form.SwEw),
        new(0x8E, S5, Operation.MovSreg,     Form.SwEw),
        new(0x8F, S0, Operation.Pop,     Form.E64),
        new(Pp.NP | Pp.P66 | Pp.F2, 0x90, Slash.None, Operation.Nop, Form.None, Traits.None, Wide.B0),
        new(Pp.F3, 0x90, Slash.None, Operation.Pause, Form.None),
        new(Pp.NP | Pp.P66 | Pp.F2, 0x90, Slash.None, Operation.Xchg, Form.ZvAv, Traits.None, Wide.B1),
        new(0x91, Operation.Xchg,        Form.ZvAv),
        new(0x92, Operation.Xchg,        Form.ZvAv),
        new(0x93, Operation.Xchg,        Form.ZvAv),
        new(0x94, Operation.Xchg,        Form.ZvAv),
        new(0x95, Operation.Xchg,        Form.ZvAv),
        new(0x96, Operation.Xchg,        Form.ZvAv),
        new(0x97, Operation.Xchg,        Form.ZvAv),
        new(0x98, Operation.Cbw,         Form.None),
        new(0x99, Operation.Cwd,         Form.None),
        new(0x9A, Operation.CallFar,     Form.Ap, Traits.No64),
        new(0x9B, Operation.Wait,        Form.None),
        new(0x9C, Operation.Pushf,       Form.D64),
        new(0x9D, Operation.Popf,        Form.D64),
        new(0x9E, Operation.Sahf,        Form.None),
        new(0x9F, Operation.Lahf,        Form.None),
        new(0xA0, Operation.Mov,         Form.AlOb),
        new(0xA1, Operation.Mov,         Form.AvOv),
        new(0xA2, Operation.Mov,         Form.ObAl),
        new(0xA3, Operation.Mov,         Form.OvAv),
        new(0xA4, Operation.Movs,        Form.Xb),
        new(0xA5, Operation.Movs,        Form.Xv),
        new(0xA6, Operation.Cmps,        Form.Xb),
        new(0xA7, Operation.Cmps,        Form.Xv),
        new(0xA8, Operation.Test,        Form.AlIb),
        new(0xA9, Operation.Test,        Form.AvIz),
        new(0xAA, Operation.Stos,        Form.Xb),
        new(0xAB, Operation.Stos,        Form.Xv),
        new(0xAC, Operation.Lods,        Form.Xb),
        new(0xAD, Operation.Lods,        Form.Xv),
        new(0xAE, Operation.Scas,        Form.Xb),
        new(0xAF, Operation.Scas,        Form.Xv),
        .. Eight(0xB0, Operation.Mov,    Form.ZbIb),
        .. Eight(0xB8, Operation.Mov,    Form.ZvIv),
        .. Group2(0xC0, Form.EbUb),
        .. Group2(0xC1, Form.EvUb),
        new(0xC2, Operation.Ret,         Form.IwF64),
        new(0xC3, Operation.Ret,         Form.Fo64),
        new(0xC6, S0, Operation.Mov,     Form.EbIb),
        new(0xC6, Exact + 0xF8, Operation.Xabort, Form.Ib),
        new(0xC7, S0, Operation.Mov,     Form.EvIz),
        new(0xC7, Exact + 0xF8, Operation.Xbegin, Form.JzV),
        new(0xC8, Operation.Enter,       Form.IwIb),
        new(0xC9, Operation.Leave,       Form.D64),
        new(0xCA, Operation.Retf,        Form.Iw),
        new(0xCB, Operation.Retf,        Form.None),
        new(0xCC, Operation.Int3,        Form.None),
        new(0xCD, Operation.Int,         Form.Ib),
        new(0xCE, Operation.Into,        Form.None, Traits.No64),
        new(0xCF, Operation.Iret,        Form.None),
        .. Group2(0xD0, Form.Eb1),
        .. Group2(0xD1, Form.Ev1),
        .. Group2(0xD2, Form.EbCl),
        .. Group2(0xD3, Form.EvCl),
        new(0xD4, Operation.Aam,         Form.Ib, Traits.No64),
        new(0xD5, Operation.Aad,         Form.Ib, Traits.No64),
        new(0xD6, Operation.Salc,        Form.None, Traits.No64),
        new(0xD7, Operation.Xlat,        Form.B),
        new(0xE0, Operation.Loopne,      Form.Jb),
        new(0xE1, Operation.Loope,       Form.Jb),
        new(0xE2, Operation.Loop,        Form.Jb),
        new(0xE3, Operation.Jcxz,        Form.Jb),
        new(0xE4, Operation.In,          Form.InAlIb),
        new(0xE5, Operation.In,          Form.InAzIb),
        new(0xE6, Operation.Out,         Form.IbAl),
        new(0xE7, Operation.Out,         Form.IbAz),
        new(0xE8, Operation.Call,        Form.Jz),
        new(0xE9, Operation.Jmp,         Form.Jz),
        new(0xEA, Operation.JmpFar,      Form.Ap, Traits.No64),
        new(0xEB, Operation.Jmp,         Form.Jb),
        new(0xEC, Operation.In,          Form.AlDx),
        new(0xED, Operation.In,          Form.AzDx),
        new(0xEE, Operation.Out,         Form.DxAl),
        new(0xEF, Operation.Out,         Form.DxAz),
        new(0xF0, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0xF1, Operation.Int1,        Form.None),
        new(0xF2, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0xF3, Operation.Invalid,     Form.None, Traits.Prefix),
        new(0xF4, Operation.Hlt,         Form.None),
        new(0xF5, Operation.Cmc,         Form.None),
        .. Group3(0xF6, Form.EbIb, Form.Eb),
        .. Group3(0xF7, Form.EvIz, Form.Ev),
        new(0xF8, Operation.Clc,         Form.None),
        new(0xF9, Operation.Stc,         Form.None),
        new(0xFA, Operation.Cli,         Form.None),
        new(0xFB, Operation.Sti,         Form.None),
        new(0xFC, Operation.Cld,         Form.None),
        new(0xFD, Operation.Std,         Form.None),
        new(0xFE, S0, Operation.Inc,     Form.Eb, Traits.Lock),
        new(0xFE, S1, Operation.Dec,     Form.Eb, Traits.Lock),
        new(0xFF, S0, Operation.Inc,     Form.Ev, Traits.Lock),
        new(0xFF, S1, Operation.Dec,     Form.Ev, Traits.Lock),
        new(0xFF, S2, Operation.Call,    Form.Ef64),
        new(0xFF, M3, Operation.CallFar, Form.Ev),
        new(0xFF, S4, Operation.Jmp,     Form.Ef64),
        new(0xFF, M5, Operation.JmpFar,  Form.Ev),
        new(0xFF, S6, Operation.Push,    Form.E64),
    ];

    /// <summary>What only 16- and 32-bit modes have. 62, C4 and C5 are escapes there if a register would be named.</summary>
    internal static readonly OpcodeRow[] Legacy =
    [
        .. Eight(0x40, Operation.Inc,    Form.Zv),
        .. Eight(0x48, Operation.Dec,    Form.Zv),
        new(0x62, Operation.Bound,       Form.GzEz, Traits.Escape),
        new(0x63, Operation.Arpl,        Form.EwGw),
        new(0xC4, Operation.Les,         Form.GzEz, Traits.Escape),
        new(0xC5, Operation.Lds,         Form.GzEz, Traits.Escape),
    ];

    /// <summary>What only 64-bit mode has.</summary>
    internal static readonly OpcodeRow[] Long =
    [
        .. Eight(0x40, Operation.Invalid, Form.None, Traits.Prefix),
        .. Eight(0x48, Operation.Invalid, Form.None, Traits.Prefix),
        new(0x62, Operation.Invalid,     Form.None, Traits.Escape),
        new(0x63, Operation.Movsxd,      Form.GvEv),
        new(0xC4, Operation.Invalid,     Form.None, Traits.Escape),
        new(0xC5, Operation.Invalid,     Form.None, Traits.Escape),
    ];

    private static OpcodeRow[] Arithmetic(byte opcode, Operation operation, Traits traits) =>
    [
        new((byte)(opcode + 0), operation, Form.EbGb, traits),
        new((byte)(opcode + 1), operation, Form.EvGv, traits),
        new((byte)(opcode + 2), operation, Form.GbEb),
        new((byte)(opcode + 3), operation, Form.GvEv),
        new((byte)(opcode + 4), operation, Form.AlIb),
        new((byte)(opcode + 5), operation, Form.AvIz),
    ];

    private static OpcodeRow[] Group1(byte opcode, Form form, Traits traits) =>
    [
        new(opcode, S0, Operation.Add, form, traits | Traits.Lock),
        new(opcode, S1, Operation.Or,  form, traits | Traits.Lock),
        new(opcode, S2, Operation.Adc, form, traits | Traits.Lock),
        new(opcode, S3, Operation.Sbb, form, traits | Traits.Lock),
        new(opcode, S4, Operation.And, form, traits | Traits.Lock),
        new(opcode, S5, Operation.Sub, form, traits | Traits.Lock),
        new(opcode, S6, Operation.Xor, form, traits | Traits.Lock),
        new(opcode, S7, Operation.Cmp, form, traits),
    ];

    /// <summary>Digit 6 is an undocumented second encoding of SHL on every processor.</summary>
    private static OpcodeRow[] Group2(byte opcode, Form form) =>
    [
        new(opcode, S0, Operation.Rol, form),
        new(opcode, S1, Operation.Ror, form),
        new(opcode, S2, Operation.Rcl, form),
        new(opcode, S3, Operation.Rcr, form),
        new(opcode, S4, Operation.Shl, form),
        new(opcode, S5, Operation.Shr, form),
        new(opcode, S6, Operation.Sal, form),
        new(opcode, S7, Operation.Sar, form),
    ];

    /// <summary>Digit 1 is an undocumented second encoding of TEST on every processor.</summary>
    private static OpcodeRow[] Group3(byte opcode, Form immediate, Form form) =>
    [
        new(opcode, S0, Operation.Test, immediate),
        new(opcode, S1, Operation.Test, immediate),
        new(opcode, S2, Operation.Not,  form, Traits.Lock),
        new(opcode, S3, Operation.Neg,  form, Traits.Lock),
        new(opcode, S4, Operation.Mul,  form),
        new(opcode, S5, Operation.Imul, form),
        new(opcode, S6, Operation.Div,  form),
        new(opcode, S7, Operation.Idiv, form),
    ];

    private static OpcodeRow[] Eight(byte opcode, Operation operation, Form form, Traits traits = Traits.None)
    {
        OpcodeRow[] rows = new OpcodeRow[8];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new((byte)(opcode + i), operation, form, traits);
        }

        return rows;
    }
}
