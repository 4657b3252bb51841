// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>Constants to 128 bits, cut off; none of them ends there.</summary>
internal static class FloatConstants
{
    internal static ExactValue Pi => new(false, 1, new(0xC90F_DAA2_2168_C234, 0xC4C6_628B_80DC_1CD1));

    internal static ExactValue LogOf2 => new(false, -1, new(0xB172_17F7_D1CF_79AB, 0xC9E3_B398_03F2_F6AF));

    internal static ExactValue Log2OfE => new(false, 0, new(0xB8AA_3B29_5C17_F0BB, 0xBE87_FED0_691D_3E88));

    internal static ExactValue Log2Of10 => new(false, 1, new(0xD49A_784B_CD1B_8AFE, 0x492B_F6FF_4DAF_DB4C));

    internal static ExactValue Log10Of2 => new(false, -2, new(0x9A20_9A84_FBCF_F798, 0x8F89_59AC_0B7C_9178));
}
