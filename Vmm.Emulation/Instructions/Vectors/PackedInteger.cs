// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>
/// Integer arithmetic of one 128-bit lane, by the host's instruction of the same name: these have no modes and no exceptions. Any
/// host that runs .NET and KVM has SSE4.2.
/// </summary>
internal static class PackedInteger
{
    /// <summary>An operation of two operands.</summary>
    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a, Vector128<byte> b)
    {
        switch (operation)
        {
            case Operation.Paddb:
                return a + b;
            case Operation.Paddw:
                return (a.AsUInt16() + b.AsUInt16()).AsByte();
            case Operation.Paddd:
                return (a.AsUInt32() + b.AsUInt32()).AsByte();
            case Operation.Paddq:
                return (a.AsUInt64() + b.AsUInt64()).AsByte();
            case Operation.Psubb:
                return a - b;
            case Operation.Psubw:
                return (a.AsUInt16() - b.AsUInt16()).AsByte();
            case Operation.Psubd:
                return (a.AsUInt32() - b.AsUInt32()).AsByte();
            case Operation.Psubq:
                return (a.AsUInt64() - b.AsUInt64()).AsByte();
            case Operation.Paddsb:
                return Sse2.AddSaturate(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Paddsw:
                return Sse2.AddSaturate(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Paddusb:
                return Sse2.AddSaturate(a, b);
            case Operation.Paddusw:
                return Sse2.AddSaturate(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Psubsb:
                return Sse2.SubtractSaturate(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Psubsw:
                return Sse2.SubtractSaturate(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Psubusb:
                return Sse2.SubtractSaturate(a, b);
            case Operation.Psubusw:
                return Sse2.SubtractSaturate(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Pavgb:
                return Sse2.Average(a, b);
            case Operation.Pavgw:
                return Sse2.Average(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Pmullw:
                return Sse2.MultiplyLow(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pmulhw:
                return Sse2.MultiplyHigh(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pmulhuw:
                return Sse2.MultiplyHigh(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Pmuludq:
                return Sse2.Multiply(a.AsUInt32(), b.AsUInt32()).AsByte();
            case Operation.Pmaddwd:
                return Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Psadbw:
                return Sse2.SumAbsoluteDifferences(a, b).AsByte();
            case Operation.Pmuldq:
                return Sse41.Multiply(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pmulld:
                return (a.AsInt32() * b.AsInt32()).AsByte();
            case Operation.Pmulhrsw:
                return Ssse3.MultiplyHighRoundScale(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pmaddubsw:
                return Ssse3.MultiplyAddAdjacent(a, b.AsSByte()).AsByte();
            case Operation.Phaddw:
                return Ssse3.HorizontalAdd(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Phaddd:
                return Ssse3.HorizontalAdd(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Phaddsw:
                return Ssse3.HorizontalAddSaturate(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Phsubw:
                return Ssse3.HorizontalSubtract(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Phsubd:
                return Ssse3.HorizontalSubtract(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Phsubsw:
                return Ssse3.HorizontalSubtractSaturate(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Psignb:
                return Ssse3.Sign(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Psignw:
                return Ssse3.Sign(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Psignd:
                return Ssse3.Sign(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pshufb:
                return Ssse3.Shuffle(a, b);
            default:
                return Order(operation, a, b);
        }
    }

    private static Vector128<byte> Order(Operation operation, Vector128<byte> a, Vector128<byte> b)
    {
        switch (operation)
        {
            case Operation.Pcmpeqb:
                return Vector128.Equals(a, b);
            case Operation.Pcmpeqw:
                return Vector128.Equals(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pcmpeqd:
                return Vector128.Equals(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pcmpeqq:
                return Vector128.Equals(a.AsInt64(), b.AsInt64()).AsByte();
            case Operation.Pcmpgtb:
                return Vector128.GreaterThan(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Pcmpgtw:
                return Vector128.GreaterThan(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pcmpgtd:
                return Vector128.GreaterThan(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pcmpgtq:
                return Vector128.GreaterThan(a.AsInt64(), b.AsInt64()).AsByte();
            case Operation.Pmaxsb:
                return Vector128.Max(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Pmaxsw:
                return Vector128.Max(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pmaxsd:
                return Vector128.Max(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pmaxub:
                return Vector128.Max(a, b);
            case Operation.Pmaxuw:
                return Vector128.Max(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Pmaxud:
                return Vector128.Max(a.AsUInt32(), b.AsUInt32()).AsByte();
            case Operation.Pminsb:
                return Vector128.Min(a.AsSByte(), b.AsSByte()).AsByte();
            case Operation.Pminsw:
                return Vector128.Min(a.AsInt16(), b.AsInt16()).AsByte();
            case Operation.Pminsd:
                return Vector128.Min(a.AsInt32(), b.AsInt32()).AsByte();
            case Operation.Pminub:
                return Vector128.Min(a, b);
            case Operation.Pminuw:
                return Vector128.Min(a.AsUInt16(), b.AsUInt16()).AsByte();
            case Operation.Pminud:
                return Vector128.Min(a.AsUInt32(), b.AsUInt32()).AsByte();
            default:
                return Arrange(operation, a, b);
        }
    }

    private static Vector128<byte> Arrange(Operation operation, Vector128<byte> a, Vector128<byte> b) => operation switch
    {
        Operation.Packsswb => Sse2.PackSignedSaturate(a.AsInt16(), b.AsInt16()).AsByte(),
        Operation.Packssdw => Sse2.PackSignedSaturate(a.AsInt32(), b.AsInt32()).AsByte(),
        Operation.Packuswb => Sse2.PackUnsignedSaturate(a.AsInt16(), b.AsInt16()),
        Operation.Packusdw => Sse41.PackUnsignedSaturate(a.AsInt32(), b.AsInt32()).AsByte(),
        Operation.Punpcklbw => Sse2.UnpackLow(a, b),
        Operation.Punpcklwd => Sse2.UnpackLow(a.AsUInt16(), b.AsUInt16()).AsByte(),
        Operation.Punpckldq or Operation.Unpcklps => Sse2.UnpackLow(a.AsUInt32(), b.AsUInt32()).AsByte(),
        Operation.Punpcklqdq or Operation.Unpcklpd => Sse2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsByte(),
        Operation.Punpckhbw => Sse2.UnpackHigh(a, b),
        Operation.Punpckhwd => Sse2.UnpackHigh(a.AsUInt16(), b.AsUInt16()).AsByte(),
        Operation.Punpckhdq or Operation.Unpckhps => Sse2.UnpackHigh(a.AsUInt32(), b.AsUInt32()).AsByte(),
        Operation.Punpckhqdq or Operation.Unpckhpd => Sse2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsByte(),
        _ => VectorCrypto.Compute(operation, a, b),
    };

    /// <summary>The same for the 64 bits of MMX.</summary>
    internal static ulong Compute(Operation operation, ulong a, ulong b)
    {
        Vector128<byte> left = Vector128.CreateScalar(a).AsByte();
        Vector128<byte> right = Vector128.CreateScalar(b).AsByte();
        switch (operation)
        {
            case Operation.Punpckhbw:
                return Sse2.UnpackLow(left, right).AsUInt64().GetElement(1);
            case Operation.Punpckhwd:
                return Sse2.UnpackLow(left.AsUInt16(), right.AsUInt16()).AsUInt64().GetElement(1);
            case Operation.Punpckhdq:
                return Sse2.UnpackLow(left.AsUInt32(), right.AsUInt32()).AsUInt64().GetElement(1);
            case Operation.Packsswb or Operation.Packssdw or Operation.Packuswb or >= Operation.Phaddd and <= Operation.Phaddw
                or >= Operation.Phsubd and <= Operation.Phsubw:
                // Both operands side by side are one operand of the 128-bit operation.
                Vector128<byte> both = Vector128.Create(a, b).AsByte();
                return Compute(operation, both, both).AsUInt64().ToScalar();
            case Operation.Pshufb:
                return Ssse3.Shuffle(left, right & Vector128.Create((byte)0x87)).AsUInt64().ToScalar();
            default:
                return Compute(operation, left, right).AsUInt64().ToScalar();
        }
    }

    /// <summary>An operation of one operand.</summary>
    internal static Vector128<byte> Compute(Operation operation, Vector128<byte> a) => operation switch
    {
        Operation.Pabsb => Ssse3.Abs(a.AsSByte()),
        Operation.Pabsw => Ssse3.Abs(a.AsInt16()).AsByte(),
        Operation.Pabsd => Ssse3.Abs(a.AsInt32()).AsByte(),
        Operation.Phminposuw => Sse41.MinHorizontal(a.AsUInt16()).AsByte(),
        Operation.Movsldup => Sse2.Shuffle(a.AsUInt32(), 0xA0).AsByte(),
        Operation.Movshdup => Sse2.Shuffle(a.AsUInt32(), 0xF5).AsByte(),
        _ => VectorCrypto.InverseMixColumns(a),
    };

    /// <summary>A shift of all elements by a count; 64 bits of it count.</summary>
    internal static Vector128<byte> Shift(Operation operation, Vector128<byte> a, ulong count)
    {
        Vector128<ulong> by = Vector128.CreateScalar(count);
        return operation switch
        {
            Operation.Psllw => Sse2.ShiftLeftLogical(a.AsUInt16(), by.AsUInt16()).AsByte(),
            Operation.Pslld => Sse2.ShiftLeftLogical(a.AsUInt32(), by.AsUInt32()).AsByte(),
            Operation.Psllq => Sse2.ShiftLeftLogical(a.AsUInt64(), by).AsByte(),
            Operation.Psrlw => Sse2.ShiftRightLogical(a.AsUInt16(), by.AsUInt16()).AsByte(),
            Operation.Psrld => Sse2.ShiftRightLogical(a.AsUInt32(), by.AsUInt32()).AsByte(),
            Operation.Psrlq => Sse2.ShiftRightLogical(a.AsUInt64(), by).AsByte(),
            Operation.Psraw => Sse2.ShiftRightArithmetic(a.AsInt16(), by.AsInt16()).AsByte(),
            Operation.Psrad => Sse2.ShiftRightArithmetic(a.AsInt32(), by.AsInt32()).AsByte(),
            Operation.Pslldq => VectorShuffle.Window(Vector128<byte>.Zero, a, 16 - (int)Math.Min(count, 16)),
            _ => VectorShuffle.Window(a, Vector128<byte>.Zero, (int)Math.Min(count, 16)),
        };
    }
}
