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

    /// <summary>Parts of an element of <see cref="ModRm32"/>.</summary>
    internal const uint DisplacementMask = 7;
    internal const uint HasSib = 8;
    internal const uint NoBase = 16;

    /// <summary>Marks an element of <see cref="Immediates"/> as sign-extended; its length is in the low four bits.</summary>
    internal const uint IsSigned = 16;

    private static readonly byte[] s_sizes = BuildSizes();
    private static readonly byte[] s_modRm32 = BuildModRm32();

    /// <summary>What a ModRM byte asks for with 32- and 64-bit addressing (volume 2, 32-bit addressing forms).</summary>
    internal static ReadOnlySpan<byte> ModRm32 => s_modRm32;

    /// <summary>Length and sign of an immediate, by <see cref="ImmediateKind"/> times 4 + the base-2 logarithm of its size.</summary>
    internal static ReadOnlySpan<byte> Immediates =>
    [
        0, 0, 0, 0,
        17, 17, 17, 17,
        1, 1, 1, 1,
        2, 2, 2, 2,
        20, 18, 20, 20,
        1, 2, 4, 8,
        1, 2, 4, 8,
        6, 4, 6, 6,
        3, 3, 3, 3,
    ];

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

    private static byte[] BuildModRm32()
    {
        byte[] table = new byte[256];
        for (int modRm = 0; modRm < 0xC0; modRm++)
        {
            int mod = modRm >> 6;
            int rm = modRm & 7;
            bool isAbsolute = mod == 0 && rm == 5;
            table[modRm] = (byte)((isAbsolute ? 4u : (uint)(mod * mod)) | (rm == 4 ? HasSib : 0) | (isAbsolute ? NoBase : 0));
        }

        return table;
    }
}
