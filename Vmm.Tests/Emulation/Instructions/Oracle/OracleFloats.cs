// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// Draws floating-point operands that meet: zeros, infinities, NaNs, denormals, ends of ranges, halves and small integers in every
/// format, and numbers that lie near each other; and modes of rounding and masks.
/// </summary>
internal static class OracleFloats
{
    private const int Mxcsr = 24;
    private const int St0 = 32;
    private const int Xmm0 = 160;
    private const int YmmHigh = 576;

    private static readonly uint[] s_singles =
    [
        0, 0x7F80_0000, 0x7FC0_0000, 0x7FC1_2345, 0x7F80_0001, 0x7FA5_5555, 1, 0x007F_FFFF, 0x0040_0000, 0x0080_0000, 0x0080_0001, 0x7F7F_FFFF, 0x7F00_0000,
        0x3F80_0000, 0x3F80_0001, 0x3F00_0000, 0x3FC0_0000, 0x4020_0000, 0x4060_0000, 0x3F7F_FFFF, 0x4EFF_FFFF, 0x4F00_0000, 0x5EFF_FFFF, 0x5F00_0000,
        0x4B00_0000, 0x4B7F_FFFF, 0x3300_0000, 0x3380_0000, 0x2000_0000, 0x1F80_0000, 0x477F_E000, 0x3880_0000, 0x3380_0001, 0x477F_F000,
    ];

    private static readonly ulong[] s_doubles =
    [
        0, 0x7FF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0x7FF8_1234_5678_9ABC, 0x7FF0_0000_0000_0001, 0x7FF5_5555_5555_5555, 1, 0x000F_FFFF_FFFF_FFFF,
        0x0008_0000_0000_0000, 0x0010_0000_0000_0000, 0x0010_0000_0000_0001, 0x7FEF_FFFF_FFFF_FFFF, 0x7FE0_0000_0000_0000, 0x3FF0_0000_0000_0000,
        0x3FF0_0000_0000_0001, 0x3FE0_0000_0000_0000, 0x3FF8_0000_0000_0000, 0x4004_0000_0000_0000, 0x400C_0000_0000_0000, 0x3FEF_FFFF_FFFF_FFFF,
        0x41DF_FFFF_FFC0_0000, 0x41E0_0000_0000_0000, 0x41DF_FFFF_FFE0_0000, 0x43DF_FFFF_FFFF_FFFF, 0x43E0_0000_0000_0000, 0x4330_0000_0000_0000,
        0x433F_FFFF_FFFF_FFFF, 0x3CA0_0000_0000_0000, 0x3690_0000_0000_0000, 0x3810_0000_0000_0000, 0x380F_FFFF_FFFF_FFFF, 0x47EF_FFFF_E000_0000,
        0x47EF_FFFF_F000_0000, 0x36A0_0000_0000_0001,
    ];

    private static readonly (ushort Exponent, ulong Significand)[] s_extended =
    [
        (0, 0), (0x7FFF, 0x8000_0000_0000_0000), (0x7FFF, 0xC000_0000_0000_0000), (0x7FFF, 0xC123_4567_89AB_CDEF), (0x7FFF, 0x8000_0000_0000_0001),
        (0x7FFF, 0xA555_5555_5555_5555), (0, 1), (0, 0x7FFF_FFFF_FFFF_FFFF), (0, 0x8000_0000_0000_0000), (0, 0xC000_0000_0000_0001), (1, 0x8000_0000_0000_0000),
        (1, 0x8000_0000_0000_0001), (0x7FFE, ulong.MaxValue), (0x7FFE, 0x8000_0000_0000_0000), (0x3FFF, 0x8000_0000_0000_0000), (0x3FFF, 0x8000_0000_0000_0001),
        (0x3FFE, 0x8000_0000_0000_0000), (0x3FFF, 0xC000_0000_0000_0000), (0x4000, 0xA000_0000_0000_0000), (0x3FFE, ulong.MaxValue), (0x400D, 0xFFFE_0000_0000_0000),
        (0x400E, 0x8000_0000_0000_0000), (0x401D, 0xFFFF_FFFF_0000_0000), (0x401E, 0x8000_0000_0000_0000), (0x403D, ulong.MaxValue), (0x403E, 0x8000_0000_0000_0000),
        (0x403E, ulong.MaxValue), (0x4039, 0xDE0B_6B3A_763F_FFF0), (0x403A, 0xDE0B_6B3A_7640_0000), (0x7FFF, 0x4000_0000_0000_0000), (0x7FFF, 0),
        (0x3FFF, 0x4000_0000_0000_0000), (0x4001, 0), (0x3C00, 0x8000_0000_0000_0000), (0x3F80, 0xFFFF_FF80_0000_0000), (0x43FE, 0xFFFF_FFFF_FFFF_FC00),
        (0x407E, 0xFFFF_FF80_0000_0000), (0x3FFD, 0x9A20_9A84_FBCF_F799),
    ];

    /// <summary>Replaces registers, MXCSR, the x87 control and status words, and memory.</summary>
    internal static void Draw(Random random, Span<byte> extended, Span<byte> data)
    {
        BitConverter.TryWriteBytes(extended[Mxcsr..], DrawMxcsr(random));
        DrawX87(random, extended);
        int size = random.Next(2) == 0 ? 4 : 8;
        Fill(random, extended.Slice(Xmm0, 256), size);
        Fill(random, extended.Slice(YmmHigh, 256), size);
        switch (random.Next(6))
        {
            case 0:
                break;
            case 1:
                for (int at = 0; at + 16 <= data.Length; at += 16)
                {
                    DrawExtended(random, data[at..]);
                }

                break;
            default:
                Fill(random, data, random.Next(3) == 0 ? 12 - size : size);
                break;
        }
    }

    /// <summary>
    /// Makes ST(0) a number that F2XM1 and FYL2XP1 define a result for (volume 2): magnitudes up to 1, and up to 1 - sqrt(1/2).
    /// </summary>
    internal static void DrawSmall(Random random, Span<byte> extended)
    {
        int signExponent = BitConverter.ToUInt16(extended[(St0 + 8)..]);
        bool isNaN = (signExponent & 0x7FFF) == 0x7FFF && BitConverter.ToUInt64(extended[St0..]) << 1 != 0;
        if ((signExponent & 0x7FFF) > 0x3FFC && !isNaN)
        {
            BitConverter.TryWriteBytes(extended[(St0 + 8)..], (ushort)(signExponent & 0x8000 | 0x3FFC - random.Next(20)));
        }
    }

    private static int DrawMxcsr(Random random) => random.Next(4) switch
    {
        0 => 0x1F80 | random.Next(64),
        1 => 0x1F80 | random.Next(64) | random.Next(4) << 13 | random.Next(2) << 15 | random.Next(2) << 6,
        _ => random.Next(0x1_0000) & ~0x3F | random.Next(64) & random.Next(64),
    };

    /// <summary>Values of one size all over.</summary>
    private static void Fill(Random random, Span<byte> bytes, int size)
    {
        for (int at = 0; at + size <= bytes.Length; at += size)
        {
            if (size == 4)
            {
                BitConverter.TryWriteBytes(bytes[at..], DrawSingle(random));
            }
            else
            {
                BitConverter.TryWriteBytes(bytes[at..], DrawDouble(random));
            }
        }
    }

    private static uint DrawSingle(Random random)
    {
        uint any = (uint)random.NextInt64(1L << 32);
        return random.Next(8) switch
        {
            0 => any,
            1 => any & 0x8000_FFFF | (uint)random.Next(0x60) << 16,
            2 => any & 0x807F_FFFF | (uint)random.Next(0x6C, 0x94) << 23,
            3 => any & 0x8070_0000 | (uint)random.Next(0x78, 0x88) << 23,
            4 => BitConverter.SingleToUInt32Bits(random.Next(-20, 20)),
            _ => any & 0x8000_0000 | s_singles[random.Next(s_singles.Length)],
        };
    }

    private static ulong DrawDouble(Random random)
    {
        ulong any = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        return random.Next(8) switch
        {
            0 => any,
            1 => any & 0x800F_FFFF_FFFF_FFFF | (ulong)random.Next(8) << 52,
            2 => any & 0x800F_FFFF_FFFF_FFFF | (ulong)random.Next(0x3C0, 0x440) << 52,
            3 => any & 0x800E_0000_0000_0000 | (ulong)random.Next(0x3F8, 0x408) << 52,
            4 => BitConverter.DoubleToUInt64Bits(random.Next(-20, 20)),
            _ => any & 1UL << 63 | s_doubles[random.Next(s_doubles.Length)],
        };
    }

    private static void DrawExtended(Random random, Span<byte> to)
    {
        ulong any = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        (int exponent, ulong significand) = random.Next(8) switch
        {
            0 => (random.Next(0x8000), any),
            1 => (random.Next(70), any | 1UL << 63),
            2 => (random.Next(0x3FC0, 0x4040), any | 1UL << 63),
            3 => (random.Next(0x3FF0, 0x4010), any & 0x7C00_0000_0000_0000 | 1UL << 63),
            4 => (0x3FFF + random.Next(6), any & 0x7000_0000_0000_0000 | 1UL << 63),
            _ => s_extended[random.Next(s_extended.Length)],
        };
        BitConverter.TryWriteBytes(to, significand);
        BitConverter.TryWriteBytes(to[8..], (ushort)(exponent | random.Next(2) << 15));
    }

    /// <summary>Modes, masks, TOP and registers; one time in eight with an exception pending.</summary>
    private static void DrawX87(Random random, Span<byte> extended)
    {
        int precision = random.Next(4) switch
        {
            0 => 0,
            1 => 2,
            _ => 3,
        };
        int masks = random.Next(3) == 0 ? random.Next(64) : 63;
        BitConverter.TryWriteBytes(extended, (ushort)(0x40 | masks | precision << 8 | random.Next(4) << 10));
        int exceptions = random.Next(64) & random.Next(64) & masks;
        int conditions = random.Next(8) << 8 | random.Next(2) << 14 | random.Next(2) << 6;
        bool isPending = masks != 63 && random.Next(8) == 0;
        exceptions |= isPending ? ~masks & 63 : 0;
        BitConverter.TryWriteBytes(extended[2..], (ushort)(exceptions | conditions | random.Next(8) << 11 | (isPending ? 0x8080 : 0)));
        extended[4] = (byte)(random.Next(4) == 0 ? random.Next(256) : 0xFF);
        for (int register = 0; register < 8; register++)
        {
            DrawExtended(random, extended[(St0 + register * 16)..]);
        }
    }
}
