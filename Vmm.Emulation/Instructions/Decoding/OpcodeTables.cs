// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>All maps, expanded.</summary>
internal static class OpcodeTables
{
    /// <summary>The one-byte map of 16- and 32-bit modes.</summary>
    internal static readonly OpcodeMap Legacy = OpcodeMap.Expand(PrimaryRows.Common, PrimaryRows.Legacy, X87Rows.All);

    /// <summary>The one-byte map of 64-bit mode.</summary>
    internal static readonly OpcodeMap Long = OpcodeMap.Expand(PrimaryRows.Common, PrimaryRows.Long, X87Rows.All);

    internal static readonly OpcodeMap Map0F = OpcodeMap.Expand(SecondaryRows.All, VectorRows0F.All);
    internal static readonly OpcodeMap Map0F38 = OpcodeMap.Expand(SecondaryRows.Map0F38, VectorRows0F38.All);
    internal static readonly OpcodeMap Map0F3A = OpcodeMap.Expand(SecondaryRows.Map0F3A, VectorRows0F3A.All);
    internal static readonly OpcodeMap Vex0F = OpcodeMap.Expand(VexRows0F.All);
    internal static readonly OpcodeMap Vex0F38 = OpcodeMap.Expand(VexRows0F38.All);
    internal static readonly OpcodeMap Vex0F3A = OpcodeMap.Expand(VexRows0F3A.All);

    private static readonly byte[] s_sizes = BuildSizes();

    /// <summary>
    /// The base-2 logarithm of the operand size, by <see cref="SizeRule"/> times 16 + <see cref="CodeSize"/> times 4 + W times 2 + 66.
    /// </summary>
    internal static ReadOnlySpan<byte> Sizes => s_sizes;

    private static byte[] BuildSizes()
    {
        byte[] sizes = new byte[256];
        for (int i = 0; i < sizes.Length; i++)
        {
            CodeSize mode = (CodeSize)(i >> 2 & 3);
            bool is64 = mode == CodeSize.Bits64;
            bool wide = is64 && (i & 2) != 0;
            bool small = (i & 1) != 0 ^ mode == CodeSize.Bits16;
            int legacy = small ? 1 : 2;
            sizes[i] = (byte)((SizeRule)(i >> 4) switch
            {
                SizeRule.V => wide ? 3 : legacy,
                SizeRule.Default64 => is64 && (wide || !small) ? 3 : legacy,
                SizeRule.Force64 => is64 ? 3 : legacy,
                SizeRule.Y => wide ? 3 : 2,
                SizeRule.W => 1,
                SizeRule.D => 2,
                SizeRule.Q => 3,
                SizeRule.Native => is64 ? 3 : 2,
                SizeRule.Z => legacy,
                _ => 0,
            });
        }

        return sizes;
    }
}
