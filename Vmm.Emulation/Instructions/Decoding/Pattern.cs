// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// Which fields of an encoding name which operands, destination first, without regard to size. The letters are those of the
/// manual's opcode map (volume 2, appendix A.2): E = ModRM.rm, general register or memory; G = ModRM.reg, general register;
/// B = VEX.vvvv, general register; S = ModRM.reg, segment register; C/D = ModRM.reg, control/debug register; A = accumulator;
/// Z = register in the opcode byte; I = immediate; J = relative target; O = memory offset; M = memory only; V/W/H = vector
/// register in reg/rm/vvvv; P/Q = MMX register in reg/rm; K/KW/KH = mask register in reg/rm/vvvv; L = register in imm8[7:4].
/// </summary>
internal enum Pattern : byte
{
    None,
    E, E1, Ecl, EG, EI, ES, EC, ED, EGI, EGcl, EGB, EB,
    G, GE, GEI, GEB, GBE, BE,
    SE, CE, DE,
    A, AI, IA, AO, OA, Adx, DxA,
    Z, ZI, ZA,
    I, II, J, Ap,
    String,
    St,
    VW, WV, VWI, WVI, WI, HWI, VHW, WHV, VHWI, VHWL, VWH, VE, EV, VEI, EVI, VHE, VHEI, EHV, GW, GWI, EW,
    PQ, QP, PQI, QI, PW, PE, EP, VQ, GQ, GQI, PEI,
    KKW, KWK, KKWI, KKHKW, KE, EK, GKW,
}
