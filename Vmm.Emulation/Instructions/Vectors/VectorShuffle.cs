// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>Shuffles and blends of one 128-bit lane that an immediate controls.</summary>
internal static class VectorShuffle
{
    private static Vector128<byte> Identity => Vector128.Create((byte)0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    /// <summary>The sixteen bytes from a place on of two lanes side by side.</summary>
    internal static Vector128<byte> Window(Vector128<byte> low, Vector128<byte> high, int from)
    {
        // An index beyond the lane gives zero.
        Vector128<byte> index = Identity + Vector128.Create((byte)from);
        return Vector128.Shuffle(low, index) | Vector128.Shuffle(high, index - Vector128.Create((byte)16));
    }

    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a, int immediate) => operation switch
    {
        Operation.Pshufd => Doublewords(a, a, immediate),
        Operation.Pshuflw or Operation.Pshufw => Words(a, immediate, 0),
        Operation.Pshufhw => Words(a, immediate, 4),
        _ => VectorCrypto.AssistKeyGeneration(a, (byte)immediate),
    };

    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a, Vector128<byte> b, int immediate) => operation switch
    {
        Operation.Shufps => Doublewords(a, b, immediate),
        Operation.Shufpd => Vector128.Create(a.AsUInt64().GetElement(immediate & 1), b.AsUInt64().GetElement(immediate >> 1 & 1)).AsByte(),
        Operation.Palignr => immediate >= 32 ? Vector128<byte>.Zero : Align(b, a, immediate),
        Operation.Blendps or Operation.Vpblendd => Blend(a, b, immediate, 4),
        Operation.Blendpd => Blend(a, b, immediate, 8),
        Operation.Pblendw => Blend(a, b, immediate, 2),
        Operation.Mpsadbw => SumDifferences(a, b, immediate),
        _ => VectorCrypto.Compute(operation, a, b, immediate),
    };

    /// <summary>PALIGNR of MMX.</summary>
    internal static ulong Align(ulong high, ulong low, int immediate)
        => immediate >= 16 ? 0 : Align(Vector128.Create(low, high).AsByte(), Vector128<byte>.Zero, immediate).AsUInt64().ToScalar();

    /// <summary>BLENDVPS and its kind: the sign bits of the mask's elements choose the second operand.</summary>
    internal static Vector128<byte> Choose(Operation operation, Vector128<byte> a, Vector128<byte> b, Vector128<byte> mask)
    {
        Vector128<byte> chosen = operation switch
        {
            Operation.Blendvps => Vector128.ShiftRightArithmetic(mask.AsInt32(), 31).AsByte(),
            Operation.Blendvpd => Vector128.ShiftRightArithmetic(mask.AsInt64(), 63).AsByte(),
            _ => Vector128.LessThan(mask.AsSByte(), Vector128<sbyte>.Zero).AsByte(),
        };
        return Vector128.ConditionalSelect(chosen, b, a);
    }

    private static Vector128<byte> Align(Vector128<byte> low, Vector128<byte> high, int from)
        => from < 16 ? Window(low, high, from) : Window(high, Vector128<byte>.Zero, from - 16);

    private static Vector128<byte> Doublewords(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        Vector128<uint> left = a.AsUInt32();
        Vector128<uint> right = b.AsUInt32();
        return Vector128.Create(
            left.GetElement(immediate & 3), left.GetElement(immediate >> 2 & 3),
            right.GetElement(immediate >> 4 & 3), right.GetElement(immediate >> 6 & 3)).AsByte();
    }

    private static Vector128<byte> Words(Vector128<byte> a, int immediate, int first)
    {
        Vector128<ushort> words = a.AsUInt16();
        Vector128<ushort> result = words;
        for (int word = 0; word < 4; word++)
        {
            result = result.WithElement(first + word, words.GetElement(first + (immediate >> word * 2 & 3)));
        }

        return result.AsByte();
    }

    private static Vector128<byte> Blend(Vector128<byte> a, Vector128<byte> b, int immediate, int size)
    {
        Vector128<byte> result = a;
        for (int at = 0; at < 16; at++)
        {
            if ((immediate >> at / size & 1) != 0)
            {
                result = result.WithElement(at, b.GetElement(at));
            }
        }

        return result;
    }

    /// <summary>MPSADBW: eight sums of four absolute differences, the first operand's group sliding by bytes.</summary>
    private static Vector128<byte> SumDifferences(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        int from = (immediate >> 2 & 1) * 4;
        int block = (immediate & 3) * 4;
        Vector128<ushort> result = default;
        for (int sum = 0; sum < 8; sum++)
        {
            int total = 0;
            for (int n = 0; n < 4; n++)
            {
                total += Math.Abs(a.GetElement(from + sum + n) - b.GetElement(block + n));
            }

            result = result.WithElement(sum, (ushort)total);
        }

        return result.AsByte();
    }

    /// <summary>PMOVSX and PMOVZX: half, a quarter or an eighth of a lane becomes a lane.</summary>
    internal static Vector128<byte> Extend(Operation operation, Vector128<byte> a) => operation switch
    {
        Operation.Pmovsxbw => Sse41.ConvertToVector128Int16(a.AsSByte()).AsByte(),
        Operation.Pmovsxbd => Sse41.ConvertToVector128Int32(a.AsSByte()).AsByte(),
        Operation.Pmovsxbq => Sse41.ConvertToVector128Int64(a.AsSByte()).AsByte(),
        Operation.Pmovsxwd => Sse41.ConvertToVector128Int32(a.AsInt16()).AsByte(),
        Operation.Pmovsxwq => Sse41.ConvertToVector128Int64(a.AsInt16()).AsByte(),
        Operation.Pmovsxdq => Sse41.ConvertToVector128Int64(a.AsInt32()).AsByte(),
        Operation.Pmovzxbw => Sse41.ConvertToVector128Int16(a).AsByte(),
        Operation.Pmovzxbd => Sse41.ConvertToVector128Int32(a).AsByte(),
        Operation.Pmovzxbq => Sse41.ConvertToVector128Int64(a).AsByte(),
        Operation.Pmovzxwd => Sse41.ConvertToVector128Int32(a.AsUInt16()).AsByte(),
        Operation.Pmovzxwq => Sse41.ConvertToVector128Int64(a.AsUInt16()).AsByte(),
        _ => Sse41.ConvertToVector128Int64(a.AsUInt32()).AsByte(),
    };

    /// <summary>Bytes of the source for each 128 bits of the result of PMOVSX and PMOVZX.</summary>
    internal static int ExtendedBytes(Operation operation) => operation switch
    {
        Operation.Pmovsxbw or Operation.Pmovzxbw or Operation.Pmovsxwd or Operation.Pmovzxwd or Operation.Pmovsxdq or Operation.Pmovzxdq => 8,
        Operation.Pmovsxbq or Operation.Pmovzxbq => 2,
        _ => 4,
    };
}
