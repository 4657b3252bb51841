// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Single elements of vectors, blends by a mask, tests, and stores under a mask.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool DuplicateDouble(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Vector256<byte> value;
        if (i.Is256 ? !ReadWide(ref cpu, s, in i, aligned: false, out value) : !ReadNarrow(ref cpu, s, in i, 8, out value))
        {
            return false;
        }

        Vector256<ulong> doubles = value.AsUInt64();
        SetWide(s, in i, i.Reg, Vector256.Create(doubles.GetElement(0), doubles.GetElement(0), doubles.GetElement(2), doubles.GetElement(2)).AsByte());
        return true;
    }

    /// <summary>The mask is XMM0 or, in VEX forms, the register in the immediate's upper half.</summary>
    private static bool BlendVariable(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> right))
        {
            return false;
        }

        int register = i.IsVex ? (int)(i.Immediate >> 4 & (s.CodeSize == CodeSize.Bits64 ? 15u : 7u)) : 0;
        Vector256<byte> mask = GetWide(s, in i, register);
        Vector256<byte> left = FirstSource(s, in i);
        SetWide(s, in i, i.Reg, Vector256.Create(
            VectorShuffle.Choose(v.Canonical, left.GetLower(), right.GetLower(), mask.GetLower()),
            VectorShuffle.Choose(v.Canonical, left.GetUpper(), right.GetUpper(), mask.GetUpper())));
        return true;
    }

    /// <summary>PTEST looks at all bits, VTESTPS and VTESTPD at signs; CF and ZF are set, the other status flags clear.</summary>
    private static bool TestVector(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> mask = v.Element switch
        {
            VectorElement.PackedSingle => Vector256.Create(0x8000_0000u).AsByte(),
            VectorElement.PackedDouble => Vector256.Create(1UL << 63).AsByte(),
            _ => Vector256<byte>.AllBitsSet,
        };
        Vector256<byte> left = GetWide(s, in i, i.Reg);
        bool zero = (left & right & mask) == Vector256<byte>.Zero;
        bool carry = (~left & right & mask) == Vector256<byte>.Zero;
        SetStatus(s, (zero ? FlagBits.Zero : 0) | (carry ? FlagBits.Carry : 0));
        return true;
    }

    private static bool Extend(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        int bytes = VectorShuffle.ExtendedBytes(v.Canonical);
        if (!ReadNarrow(ref cpu, s, in i, i.Is256 ? bytes * 2 : bytes, out Vector256<byte> value))
        {
            return false;
        }

        Vector128<byte> source = value.GetLower();
        Vector128<byte> upper = i.Is256 ? VectorShuffle.Window(source, default, bytes) : default;
        SetWide(s, in i, i.Reg, Vector256.Create(VectorShuffle.Extend(v.Canonical, source), VectorShuffle.Extend(v.Canonical, upper)));
        return true;
    }

    private static int ElementBytes(Operation operation) => operation switch
    {
        Operation.Pinsrb or Operation.Pextrb => 1,
        Operation.Pinsrw or Operation.Pextrw => 2,
        Operation.Pinsrq or Operation.Pextrq => 8,
        _ => 4,
    };

    private static bool Insert(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v, bool isMmx)
    {
        int size = ElementBytes(v.Canonical);
        ulong value;
        if (!i.HasMemoryOperand)
        {
            value = s.General[i.Rm];
        }
        else if (!Address(s, in i, size, write: false, out ulong linear) || !ReadSized(ref cpu, s, linear, size, out value))
        {
            return false;
        }

        int index = (int)i.Immediate & (isMmx ? 8 : 16) / size - 1;
        if (isMmx)
        {
            SetMmx(s, i.Reg, Vector128.CreateScalar(GetMmx(s, i.Reg)).AsUInt16().WithElement(index, (ushort)value).AsUInt64().ToScalar());
            return true;
        }

        Vector128<byte> source = GetXmm(s, i.IsVex ? i.Vvvv : i.Reg);
        SetXmm(s, in i, i.Reg, size switch
        {
            1 => source.WithElement(index, (byte)value),
            2 => source.AsUInt16().WithElement(index, (ushort)value).AsByte(),
            4 => source.AsUInt32().WithElement(index, (uint)value).AsByte(),
            _ => source.AsUInt64().WithElement(index, value).AsByte(),
        });
        return true;
    }

    private static bool Extract(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v, bool isMmx)
    {
        bool isRegister = i.Pattern is Pattern.GQI or Pattern.GWI;
        int size = ElementBytes(v.Canonical);
        int index = (int)i.Immediate & (isMmx ? 8 : 16) / size - 1;
        Vector128<byte> source = isMmx ? Vector128.CreateScalar(GetMmx(s, i.Rm)).AsByte() : GetXmm(s, isRegister ? i.Rm : i.Reg);
        ulong value = size switch
        {
            1 => source.GetElement(index),
            2 => source.AsUInt16().GetElement(index),
            4 => source.AsUInt32().GetElement(index),
            _ => source.AsUInt64().GetElement(index),
        };
        if (i.HasMemoryOperand)
        {
            return Address(s, in i, size, write: true, out ulong linear) && WriteSized(ref cpu, s, linear, size, value);
        }

        if (isMmx)
        {
            EnterMmx(s);
        }

        s.General[isRegister ? i.Reg : i.Rm] = value;
        return true;
    }

    private static bool InsertSingle(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!ReadNarrow(ref cpu, s, in i, 4, out Vector256<byte> value))
        {
            return false;
        }

        int immediate = (int)i.Immediate;
        uint element = value.AsUInt32().GetElement(i.HasMemoryOperand ? 0 : immediate >> 6 & 3);
        Vector128<uint> result = GetXmm(s, i.IsVex ? i.Vvvv : i.Reg).AsUInt32().WithElement(immediate >> 4 & 3, element);
        for (int n = 0; n < 4; n++)
        {
            result = (immediate >> n & 1) != 0 ? result.WithElement(n, 0u) : result;
        }

        SetXmm(s, in i, i.Reg, result.AsByte());
        return true;
    }

    /// <summary>MASKMOVQ and MASKMOVDQU store the bytes with a sign bit in the mask to DS:rDI; no others are accessed.</summary>
    private static bool MaskMove(ref TCpu cpu, CpuState s, in Instruction i, bool isMmx)
    {
        int size = isMmx ? 8 : 16;
        Vector128<byte> data = isMmx ? Vector128.CreateScalar(GetMmx(s, i.Reg)).AsByte() : GetXmm(s, i.Reg);
        Vector128<byte> mask = isMmx ? Vector128.CreateScalar(GetMmx(s, i.Rm)).AsByte() : GetXmm(s, i.Rm);
        ulong offset = s.General[Rdi];
        offset = i.AddressSizeLog2 == 3 ? offset : i.AddressSizeLog2 == 2 ? (uint)offset : (ushort)offset;
        if (!Linear(s, i.CodeSize, i.Segment, offset, size, write: true, out ulong linear))
        {
            return false;
        }

        // All of the operand must be writable; that of bytes left alone is a processor's choice (volume 2, MASKMOVDQU). AMD's processors
        // check the alignment of 16 bytes behind that, if there is anything to write.
        uint chosen = mask.ExtractMostSignificantBits();
        if (isMmx && !IsAligned(s, linear, size) || !ProbeWrite(ref cpu, s, linear, size)
            || !isMmx && s.IsAmd && chosen != 0 && !IsAligned(s, linear, size))
        {
            return false;
        }

        for (int at = 0; at < size; at++)
        {
            if ((chosen >> at & 1) != 0 && !WriteLinear(ref cpu, s, linear + (uint)at, data.GetElement(at)))
            {
                return false;
            }
        }

        if (isMmx)
        {
            EnterMmx(s);
        }

        return true;
    }
}
