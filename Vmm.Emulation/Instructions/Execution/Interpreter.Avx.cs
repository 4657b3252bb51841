// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What only VEX encodes: broadcasts, permutations across lanes, loads and stores under a mask, gathers, FMA, half precision.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool DispatchAvx(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        switch (v.Kind)
        {
            case VectorKind.FloatMultiplyAdd:
                return FloatMultiplyAdd(ref cpu, s, in i, in v);
            case VectorKind.Broadcast:
                return Broadcast(ref cpu, s, in i);
            case VectorKind.InsertLane:
                return InsertLane(ref cpu, s, in i);
            case VectorKind.ExtractLane:
                return ExtractLane(ref cpu, s, in i);
            case VectorKind.PermuteLanes or VectorKind.PermuteElements or VectorKind.PermuteQuads or VectorKind.PermuteInLane:
                return Permute(ref cpu, s, in i, in v);
            case VectorKind.MaskedLoadStore:
                return MaskedLoadStore(ref cpu, s, in i, in v);
            case VectorKind.Gather:
                return Gather(ref cpu, s, in i, in v);
            case VectorKind.VariableShift:
                return VariableShift(ref cpu, s, in i);
            case VectorKind.HalfToSingle:
                return HalfToSingle(ref cpu, s, in i);
            case VectorKind.SingleToHalf:
                return SingleToHalf(ref cpu, s, in i);
            default:
                return NotExecutable(s);
        }
    }

    private static bool Broadcast(ref TCpu cpu, CpuState s, in Instruction i)
    {
        int size = i.Operation switch
        {
            Operation.Vpbroadcastb => 1,
            Operation.Vpbroadcastw => 2,
            Operation.Vbroadcastss or Operation.Vpbroadcastd => 4,
            Operation.Vbroadcastsd or Operation.Vpbroadcastq => 8,
            _ => 16,
        };

        // From a register it came with AVX2.
        if (!i.HasMemoryOperand && !s.Has(CpuFeatures.Avx2))
        {
            return Undefined(s);
        }

        if (!ReadNarrow(ref cpu, s, in i, size, out Vector256<byte> value))
        {
            return false;
        }

        SetWide(s, in i, i.Reg, size switch
        {
            1 => Vector256.Create(value.ToScalar()),
            2 => Vector256.Create(value.AsUInt16().ToScalar()).AsByte(),
            4 => Vector256.Create(value.AsUInt32().ToScalar()).AsByte(),
            8 => Vector256.Create(value.AsUInt64().ToScalar()).AsByte(),
            _ => Vector256.Create(value.GetLower(), value.GetLower()),
        });
        return true;
    }

    private static bool InsertLane(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!ReadNarrow(ref cpu, s, in i, 16, out Vector256<byte> value))
        {
            return false;
        }

        Vector256<byte> source = FirstSource(s, in i);
        SetYmm(s, i.Reg, (i.Immediate & 1) != 0
            ? Vector256.Create(source.GetLower(), value.GetLower())
            : Vector256.Create(value.GetLower(), source.GetUpper()));
        return true;
    }

    private static bool ExtractLane(ref TCpu cpu, CpuState s, in Instruction i)
    {
        Vector256<byte> source = GetYmm(s, i.Reg);
        Vector128<byte> lane = (i.Immediate & 1) != 0 ? source.GetUpper() : source.GetLower();
        if (!i.HasMemoryOperand)
        {
            SetXmm(s, in i, i.Rm, lane);
            return true;
        }

        return VectorAddress(s, in i, 16, aligned: false, write: true, out ulong linear) && WriteLinear(ref cpu, s, linear, lane);
    }

    private static bool Permute(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, aligned: false, out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        int immediate = (byte)i.Immediate;
        SetWide(s, in i, i.Reg, v.Kind switch
        {
            VectorKind.PermuteLanes => VectorPermute.Lanes(left, right, immediate),
            VectorKind.PermuteElements => VectorPermute.Elements(right.AsUInt32(), left.AsUInt32()).AsByte(),
            VectorKind.PermuteQuads => VectorPermute.Quads(right.AsUInt64(), immediate).AsByte(),
            _ when i.Pattern == Pattern.VWI => v.IsDouble
                ? VectorPermute.InLanes(right.AsUInt64(), immediate).AsByte()
                : VectorPermute.InLanes(right.AsUInt32(), immediate).AsByte(),
            _ => v.IsDouble
                ? VectorPermute.InLanes(left.AsUInt64(), right.AsUInt64()).AsByte()
                : VectorPermute.InLanes(left.AsUInt32(), right.AsUInt32()).AsByte(),
        });
        return true;
    }

    /// <summary>VMASKMOVPS and its kind access the elements with a sign bit in the mask, and no others; loads clear the rest.</summary>
    private static bool MaskedLoadStore(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        int size = v.IsDouble ? 8 : 4;
        int bytes = WidthOf(in i);
        bool stores = i.Pattern == Pattern.WHV;
        ulong offset = Effective(s, in i);
        Vector256<byte> mask = FirstSource(s, in i);
        Vector256<byte> data = stores ? GetWide(s, in i, i.Reg) : default;
        Span<byte> elements = Elements<byte>(ref data, bytes);
        Span<ulong> addresses = stackalloc ulong[8];
        for (int at = 0; at < bytes; at += size)
        {
            if (mask.GetElement(at + size - 1) < 0x80)
            {
                continue;
            }

            if (!Linear(s, i.CodeSize, i.Segment, offset + (uint)at, size, stores, out ulong linear)
                || !(stores ? ProbeWrite(ref cpu, s, linear, size) : ReadBytes(ref cpu, s, linear, elements.Slice(at, size))))
            {
                return false;
            }

            addresses[at / size] = linear;
        }

        for (int at = 0; stores && at < bytes; at += size)
        {
            if (mask.GetElement(at + size - 1) >= 0x80 && !WriteBytes(ref cpu, s, addresses[at / size], elements.Slice(at, size)))
            {
                return false;
            }
        }

        if (!stores)
        {
            SetWide(s, in i, i.Reg, data);
        }

        return true;
    }

    /// <summary>
    /// Gathers load the elements with a sign bit in the mask, from the lowest on; each one loaded clears its mask, so that the
    /// instruction goes on where a fault ended it (volume 2, VGATHERDPS). Destination, index and mask must be three registers.
    /// </summary>
    private static bool Gather(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        int indexRegister = i.Index;
        if (i.Reg == indexRegister || i.Reg == i.Vvvv || indexRegister == i.Vvvv)
        {
            return Undefined(s);
        }

        bool hasWideIndex = i.Operation is Operation.Vgatherqps or Operation.Vgatherqpd or Operation.Vpgatherqd or Operation.Vpgatherqq;
        int size = v.IsDouble ? 8 : 4;
        int count = WidthOf(in i) / (hasWideIndex || v.IsDouble ? 8 : 4);
        Vector256<byte> index = GetYmm(s, indexRegister);
        Vector256<byte> mask = GetYmm(s, i.Vvvv);
        Vector256<byte> data = GetYmm(s, i.Reg);
        Span<byte> elements = Elements<byte>(ref data, 32);
        Span<byte> masks = Elements<byte>(ref mask, 32);
        int used = count * size;
        bool completed = true;
        for (int n = 0; n < count && completed; n++)
        {
            if (masks[n * size + size - 1] >= 0x80)
            {
                ulong offset = hasWideIndex ? index.AsUInt64().GetElement(n) : (ulong)index.AsInt32().GetElement(n);
                completed = GatherAddress(s, in i, offset, size, out ulong linear)
                    && ReadBytes(ref cpu, s, linear, elements.Slice(n * size, size));
            }

            if (completed)
            {
                masks.Slice(n * size, size).Clear();
            }
        }

        if (completed)
        {
            elements[used..].Clear();
            masks[used..].Clear();
        }

        SetYmm(s, i.Reg, data);
        SetYmm(s, i.Vvvv, mask);
        return completed;
    }

    private static bool GatherAddress(CpuState s, in Instruction i, ulong index, int size, out ulong linear)
    {
        ulong offset = (ulong)i.Displacement + (index << i.Scale) + (i.Base < 16 ? s.General[i.Base] : 0);
        offset = i.AddressSizeLog2 == 3 ? offset : (uint)offset;
        return Linear(s, i.CodeSize, i.Segment, offset, size, write: false, out linear) && IsAligned(s, linear, size);
    }

    /// <summary>Shifts of each element by its own count; counts beyond the element give zeros or signs.</summary>
    private static bool VariableShift(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!ReadWide(ref cpu, s, in i, aligned: false, out Vector256<byte> counts))
        {
            return false;
        }

        Vector256<byte> value = FirstSource(s, in i);
        int bytes = WidthOf(in i);
        if (i.Operation is Operation.Vpsllvq or Operation.Vpsrlvq)
        {
            Span<ulong> quads = Elements<ulong>(ref value, bytes);
            Span<ulong> by = Elements<ulong>(ref counts, bytes);
            for (int n = 0; n < quads.Length; n++)
            {
                quads[n] = by[n] > 63 ? 0 : i.Operation == Operation.Vpsllvq ? quads[n] << (int)by[n] : quads[n] >> (int)by[n];
            }
        }
        else
        {
            Span<uint> doubles = Elements<uint>(ref value, bytes);
            Span<uint> by = Elements<uint>(ref counts, bytes);
            for (int n = 0; n < doubles.Length; n++)
            {
                doubles[n] = i.Operation == Operation.Vpsravd ? (uint)((int)doubles[n] >> (int)Math.Min(by[n], 31))
                    : by[n] > 31 ? 0
                    : i.Operation == Operation.Vpsllvd ? doubles[n] << (int)by[n] : doubles[n] >> (int)by[n];
            }
        }

        SetWide(s, in i, i.Reg, value);
        return true;
    }

    /// <summary>The digits of the mnemonic say which operands are multiplied and which one is added; of NaNs the first in this order counts.</summary>
    private static bool FloatMultiplyAdd(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> third))
        {
            return false;
        }

        Vector256<byte> first = GetWide(s, in i, i.Reg);
        Vector256<byte> second = FirstSource(s, in i);
        int form = i.Opcode >> 4;
        Vector256<byte> left = form == 0x9 ? first : second;
        Vector256<byte> right = form == 0xA ? first : third;
        Vector256<byte> addend = form switch
        {
            0x9 => second,
            0xA => third,
            _ => first,
        };

        // 6 and 7 alternate between odd and even elements, C to F turn the product, A, B, E and F the addend.
        int kind = i.Opcode & 15;
        bool negatesProduct = kind >= 0xC;
        FloatStatus status = new(s.Extended.MxcsrValue);
        Vector256<byte> result = first;
        int count = FloatBytes(in i, in v) / (v.IsDouble ? 8 : 4);
        for (int n = 0; n < count; n++)
        {
            bool negatesAddend = kind switch
            {
                6 => (n & 1) == 0,
                7 => (n & 1) != 0,
                _ => (kind & 2) != 0,
            };
            if (v.IsDouble)
            {
                SetElement(ref result, n, BinaryFloat<Double64>.MultiplyAdd(
                    left.AsUInt64().GetElement(n), right.AsUInt64().GetElement(n), addend.AsUInt64().GetElement(n), negatesProduct, negatesAddend, ref status));
            }
            else
            {
                SetElement(ref result, n, (uint)BinaryFloat<Single32>.MultiplyAdd(
                    left.AsUInt32().GetElement(n), right.AsUInt32().GetElement(n), addend.AsUInt32().GetElement(n), negatesProduct, negatesAddend, ref status));
            }
        }

        return Finish(s, in i, in v, in result, in status);
    }

    /// <summary>Half-precision denormals are always numbers and never an exception (volume 2, VCVTPH2PS).</summary>
    private static bool HalfToSingle(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (!ReadNarrow(ref cpu, s, in i, WidthOf(in i) / 2, out Vector256<byte> value))
        {
            return false;
        }

        FloatStatus status = new(s.Extended.MxcsrValue) { DenormalsAreZero = false };
        Vector256<byte> result = default;
        for (int n = 0; n < WidthOf(in i) / 4; n++)
        {
            SetElement(ref result, n, (uint)BinaryFloat<Half16>.ConvertTo<Single32>(value.AsUInt16().GetElement(n), ref status));
        }

        status.Flags &= ~FloatFlags.Denormal;
        if (!Report(s, in status))
        {
            return false;
        }

        SetWide(s, in i, i.Reg, result);
        return true;
    }

    /// <summary>The immediate may bring its own rounding; tiny results are never flushed (volume 2, VCVTPS2PH).</summary>
    private static bool SingleToHalf(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = new(s.Extended.MxcsrValue) { FlushesToZero = false };
        if ((i.Immediate & 4) == 0)
        {
            status.Rounding = (RoundingMode)(i.Immediate & 3);
        }

        int size = WidthOf(in i) / 2;
        Vector256<byte> value = GetWide(s, in i, i.Reg);
        Vector128<byte> result = default;
        for (int n = 0; n < size / 2; n++)
        {
            result = result.AsUInt16().WithElement(n, (ushort)BinaryFloat<Single32>.ConvertTo<Half16>(value.AsUInt32().GetElement(n), ref status)).AsByte();
        }

        if (!i.HasMemoryOperand)
        {
            if (!Report(s, in status))
            {
                return false;
            }

            SetXmm(s, in i, i.Rm, result);
            return true;
        }

        if (!(size == 8 ? Address(s, in i, size, write: true, out ulong linear) : VectorAddress(s, in i, size, aligned: false, write: true, out linear))
            || !ProbeWrite(ref cpu, s, linear, size) || !Report(s, in status))
        {
            return false;
        }

        return size == 8
            ? WriteLinear(ref cpu, s, linear, result.AsUInt64().ToScalar())
            : WriteLinear(ref cpu, s, linear, result);
    }
}
