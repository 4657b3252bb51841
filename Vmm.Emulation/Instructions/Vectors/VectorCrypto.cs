// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>AES, carry-less multiplication and SHA, as the manual's pseudocode has them: hosts need not have the instructions.</summary>
internal static class VectorCrypto
{
    private static readonly byte[] s_box = BuildBox();
    private static readonly byte[] s_inverseBox = Invert(s_box);

    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a, Vector128<byte> b) => operation switch
    {
        Operation.Aesenc => MixColumns(Substitute(ShiftRows(a, 5), s_box), 2, 3, 1, 1) ^ b,
        Operation.Aesenclast => Substitute(ShiftRows(a, 5), s_box) ^ b,
        Operation.Aesdec => InverseMixColumns(Substitute(ShiftRows(a, 13), s_inverseBox)) ^ b,
        Operation.Aesdeclast => Substitute(ShiftRows(a, 13), s_inverseBox) ^ b,
        Operation.Sha1nexte => AddTop(b.AsUInt32(), BitOperations.RotateLeft(a.AsUInt32().GetElement(3), 30)).AsByte(),
        Operation.Sha1msg1 => (a.AsUInt32() ^ Vector128.Create(b.AsUInt32().GetElement(2), b.AsUInt32().GetElement(3), a.AsUInt32().GetElement(0), a.AsUInt32().GetElement(1))).AsByte(),
        Operation.Sha1msg2 => Sha1Schedule(a.AsUInt32(), b.AsUInt32()).AsByte(),
        Operation.Sha256msg1 => Sha256Schedule1(a.AsUInt32(), b.AsUInt32()).AsByte(),
        Operation.Sha256msg2 => Sha256Schedule2(a.AsUInt32(), b.AsUInt32()).AsByte(),
        _ => throw new ArgumentOutOfRangeException(nameof(operation)),
    };

    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a, Vector128<byte> b, int immediate)
        => operation == Operation.Pclmulqdq
            ? CarrylessMultiply(a.AsUInt64().GetElement(immediate & 1), b.AsUInt64().GetElement(immediate >> 4 & 1)).AsByte()
            : Sha1Rounds(a.AsUInt32(), b.AsUInt32(), immediate & 3).AsByte();

    internal static Vector128<byte> InverseMixColumns(Vector128<byte> a) => MixColumns(a, 14, 11, 13, 9);

    internal static Vector128<byte> AssistKeyGeneration(Vector128<byte> a, byte constant)
    {
        Vector128<uint> substituted = Substitute(a, s_box).AsUInt32();
        uint first = substituted.GetElement(1);
        uint second = substituted.GetElement(3);
        return Vector128.Create(
            first, BitOperations.RotateRight(first, 8) ^ constant, second, BitOperations.RotateRight(second, 8) ^ constant).AsByte();
    }

    /// <summary>Two rounds of SHA-256 with the round's words and constants in the low half of a third operand.</summary>
    internal static Vector128<uint> Sha256Rounds(Vector128<uint> cdgh, Vector128<uint> abef, Vector128<uint> words)
    {
        uint a = abef.GetElement(3);
        uint b = abef.GetElement(2);
        uint c = cdgh.GetElement(3);
        uint d = cdgh.GetElement(2);
        uint e = abef.GetElement(1);
        uint f = abef.GetElement(0);
        uint g = cdgh.GetElement(1);
        uint h = cdgh.GetElement(0);
        for (int round = 0; round < 2; round++)
        {
            uint choice = e & f ^ ~e & g;
            uint majority = a & b ^ a & c ^ b & c;
            uint sumE = BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25);
            uint sumA = BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22);
            uint first = h + sumE + choice + words.GetElement(round);
            (h, g, f, e, d, c, b, a) = (g, f, e, d + first, c, b, a, first + sumA + majority);
        }

        return Vector128.Create(f, e, b, a);
    }

    private static Vector128<uint> AddTop(Vector128<uint> value, uint addend) => value.WithElement(3, value.GetElement(3) + addend);

    private static Vector128<uint> Sha1Schedule(Vector128<uint> a, Vector128<uint> b)
    {
        uint w16 = BitOperations.RotateLeft(a.GetElement(3) ^ b.GetElement(2), 1);
        uint w17 = BitOperations.RotateLeft(a.GetElement(2) ^ b.GetElement(1), 1);
        uint w18 = BitOperations.RotateLeft(a.GetElement(1) ^ b.GetElement(0), 1);
        uint w19 = BitOperations.RotateLeft(a.GetElement(0) ^ w16, 1);
        return Vector128.Create(w19, w18, w17, w16);
    }

    private static Vector128<uint> Sha1Rounds(Vector128<uint> abcd, Vector128<uint> words, int function)
    {
        ReadOnlySpan<uint> constants = [0x5A82_7999, 0x6ED9_EBA1, 0x8F1B_BCDC, 0xCA62_C1D6];
        uint a = abcd.GetElement(3);
        uint b = abcd.GetElement(2);
        uint c = abcd.GetElement(1);
        uint d = abcd.GetElement(0);
        uint e = 0;
        for (int round = 0; round < 4; round++)
        {
            uint mixed = function switch
            {
                0 => b & c ^ ~b & d,
                2 => b & c ^ b & d ^ c & d,
                _ => b ^ c ^ d,
            };
            uint next = mixed + BitOperations.RotateLeft(a, 5) + words.GetElement(3 - round) + e + constants[function];
            (e, d, c, b, a) = (d, c, BitOperations.RotateLeft(b, 30), a, next);
        }

        return Vector128.Create(d, c, b, a);
    }

    private static Vector128<uint> Sha256Schedule1(Vector128<uint> a, Vector128<uint> b)
    {
        Vector128<uint> next = Vector128.Create(a.GetElement(1), a.GetElement(2), a.GetElement(3), b.GetElement(0));
        Vector128<uint> result = default;
        for (int n = 0; n < 4; n++)
        {
            uint word = next.GetElement(n);
            uint sigma = BitOperations.RotateRight(word, 7) ^ BitOperations.RotateRight(word, 18) ^ word >> 3;
            result = result.WithElement(n, a.GetElement(n) + sigma);
        }

        return result;
    }

    private static Vector128<uint> Sha256Schedule2(Vector128<uint> a, Vector128<uint> b)
    {
        uint w16 = a.GetElement(0) + Sigma(b.GetElement(2));
        uint w17 = a.GetElement(1) + Sigma(b.GetElement(3));
        return Vector128.Create(w16, w17, a.GetElement(2) + Sigma(w16), a.GetElement(3) + Sigma(w17));

        static uint Sigma(uint word) => BitOperations.RotateRight(word, 17) ^ BitOperations.RotateRight(word, 19) ^ word >> 10;
    }

    private static Vector128<ulong> CarrylessMultiply(ulong a, ulong b)
    {
        UInt128 product = 0;
        for (int bit = 0; bit < 64; bit++)
        {
            product ^= (b >> bit & 1) != 0 ? (UInt128)a << bit : 0;
        }

        return Vector128.Create((ulong)product, (ulong)(product >> 64));
    }

    /// <summary>Bytes are columns of four; each row moves by its number, or back.</summary>
    private static Vector128<byte> ShiftRows(Vector128<byte> a, int step)
    {
        Vector128<byte> result = default;
        for (int at = 0; at < 16; at++)
        {
            result = result.WithElement(at, a.GetElement(at * step & 15));
        }

        return result;
    }

    private static Vector128<byte> Substitute(Vector128<byte> a, byte[] box)
    {
        Vector128<byte> result = default;
        for (int at = 0; at < 16; at++)
        {
            result = result.WithElement(at, box[a.GetElement(at)]);
        }

        return result;
    }

    private static Vector128<byte> MixColumns(Vector128<byte> a, byte m0, byte m1, byte m2, byte m3)
    {
        Vector128<byte> result = default;
        for (int at = 0; at < 16; at++)
        {
            int column = at & ~3;
            int mixed = Product(m0, a.GetElement(at)) ^ Product(m1, a.GetElement(column | at + 1 & 3))
                ^ Product(m2, a.GetElement(column | at + 2 & 3)) ^ Product(m3, a.GetElement(column | at + 3 & 3));
            result = result.WithElement(at, (byte)mixed);
        }

        return result;
    }

    /// <summary>In the field of AES, modulo x^8 + x^4 + x^3 + x + 1.</summary>
    private static byte Product(int a, int b)
    {
        int product = 0;
        for (; a != 0; a >>= 1)
        {
            product ^= (a & 1) != 0 ? b : 0;
            b = b << 1 ^ ((b & 0x80) != 0 ? 0x11B : 0);
        }

        return (byte)product;
    }

    /// <summary>Inverses in the field under the affine transformation of AES (FIPS 197, section 5.1.1).</summary>
    private static byte[] BuildBox()
    {
        byte[] box = new byte[256];
        for (int value = 0; value < 256; value++)
        {
            int inverse = value == 0 ? 0 : 1;
            while (value != 0 && Product(value, inverse) != 1)
            {
                inverse++;
            }

            int twice = inverse << 8 | inverse;
            box[value] = (byte)(inverse ^ twice >> 7 ^ twice >> 6 ^ twice >> 5 ^ twice >> 4 ^ 0x63);
        }

        return box;
    }

    private static byte[] Invert(byte[] box)
    {
        byte[] inverse = new byte[256];
        for (int value = 0; value < 256; value++)
        {
            inverse[box[value]] = (byte)value;
        }

        return inverse;
    }
}
