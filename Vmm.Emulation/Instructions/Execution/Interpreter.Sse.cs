// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// MMX, SSE and AVX arithmetic: operands, and integer operations lane by lane. A 256-bit operation is its 128-bit one on both lanes
/// (volume 1, AVX programming); the upper lane of what is narrower is computed from zeros and not kept.
/// </summary>
internal static partial class Interpreter<TCpu>
{
    private static bool DispatchSse(ref TCpu cpu, CpuState s, in Instruction i)
    {
        if (i.Pattern == Pattern.St)
        {
            return DispatchX87(ref cpu, s, in i);
        }

        ref readonly VectorOperation v = ref VectorOperations.Of(i.Operation);
        if (v.Kind == VectorKind.None || i.Is256 && !v.IsScalar && v.Wide == CpuFeatures.None && i.IsVex)
        {
            return NotExecutable(s);
        }

        if (!s.Has(i.Is256 && !v.IsScalar ? v.Wide : v.Narrow))
        {
            return Undefined(s);
        }

        bool isMmx = i.Pattern is Pattern.PQ or Pattern.PQI or Pattern.QI or Pattern.GQ or Pattern.GQI or Pattern.PEI;
        if (v.Kind == VectorKind.MmxConvert)
        {
            return ConvertMmx(ref cpu, s, in i, in v);
        }

        if (isMmx ? !BeginMmx(s) : !IsVectorUsable(s, in i))
        {
            return false;
        }

        switch (v.Kind)
        {
            case VectorKind.Lanes:
                return isMmx ? MmxLanes(ref cpu, s, in i, in v) : Lanes(ref cpu, s, in i, in v);
            case VectorKind.Unary:
                return isMmx ? MmxUnary(ref cpu, s, in i, in v) : Unary(ref cpu, s, in i, in v);
            case VectorKind.UnaryImmediate:
                return isMmx ? MmxUnary(ref cpu, s, in i, in v) : UnaryImmediate(ref cpu, s, in i, in v);
            case VectorKind.LanesImmediate:
                return isMmx ? MmxLanes(ref cpu, s, in i, in v) : LanesImmediate(ref cpu, s, in i, in v);
            case VectorKind.ShiftByRegister or VectorKind.ShiftByImmediate:
                return isMmx ? MmxShift(ref cpu, s, in i, in v) : Shift(ref cpu, s, in i, in v);
            case VectorKind.FloatBinary:
                return FloatBinary(ref cpu, s, in i, in v);
            case VectorKind.FloatSquareRoot:
                return FloatSquareRoot(ref cpu, s, in i, in v);
            case VectorKind.FloatCompare:
                return FloatCompare(ref cpu, s, in i, in v);
            case VectorKind.FloatOrder:
                return FloatOrder(ref cpu, s, in i, in v);
            case VectorKind.IntegerToScalar:
                return IntegerToScalar(ref cpu, s, in i, in v);
            case VectorKind.ScalarToInteger:
                return ScalarToInteger(ref cpu, s, in i, in v);
            case VectorKind.ScalarToScalar:
                return ScalarToScalar(ref cpu, s, in i, in v);
            case VectorKind.PackedConvert:
                return PackedConvert(ref cpu, s, in i, in v);
            default:
                return DispatchSseRare(ref cpu, s, in i, in v, isMmx);
        }
    }

    private static bool DispatchSseRare(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v, bool isMmx)
    {
        switch (v.Kind)
        {
            case VectorKind.DuplicateDouble:
                return DuplicateDouble(ref cpu, s, in i);
            case VectorKind.BlendVariable:
                return BlendVariable(ref cpu, s, in i, in v);
            case VectorKind.Test:
                return TestVector(ref cpu, s, in i, in v);
            case VectorKind.Extend:
                return Extend(ref cpu, s, in i, in v);
            case VectorKind.Insert:
                return Insert(ref cpu, s, in i, in v, isMmx);
            case VectorKind.InsertSingle:
                return InsertSingle(ref cpu, s, in i);
            case VectorKind.Extract:
                return Extract(ref cpu, s, in i, in v, isMmx);
            case VectorKind.MaskMove:
                return MaskMove(ref cpu, s, in i, isMmx);
            case VectorKind.StringCompare:
                return CompareStrings(ref cpu, s, in i, in v);
            case VectorKind.FloatApproximate:
                return FloatApproximate(ref cpu, s, in i, in v);
            case VectorKind.FloatRound:
                return FloatRound(ref cpu, s, in i, in v);
            case VectorKind.FloatPairs:
                return FloatPairs(ref cpu, s, in i, in v);
            case VectorKind.FloatDot:
                return FloatDot(ref cpu, s, in i, in v);
            default:
                return DispatchAvx(ref cpu, s, in i, in v);
        }
    }

    /// <summary>The register that the first of two sources is in.</summary>
    private static Vector256<byte> FirstSource(CpuState s, in Instruction i) => GetWide(s, in i, i.IsVex ? i.Vvvv : i.Reg);

    private static Vector256<byte> GetWide(CpuState s, in Instruction i, int register)
        => i.Is256 ? GetYmm(s, register) : Vector256.Create(GetXmm(s, register), default);

    /// <summary>Legacy forms need aligned memory unless MXCSR.MM is set (volume 1, section 14.9; AMD, volume 1, MXCSR register).</summary>
    private static bool NeedsAlignment(CpuState s, in Instruction i)
        => !i.IsVex && (s.Extended.MxcsrValue & ExtendedState.MisalignedMask) == 0 && !(s.IsAmd && IsSha(i.Operation));

    /// <summary>The SHA instructions take unaligned operands on AMD's processors; Intel's raise #GP (volume 2, exceptions of SIMD instructions).</summary>
    private static bool IsSha(Operation operation) => operation is >= Operation.Sha1msg1 and <= Operation.Sha256rnds2;

    /// <summary>The elements of as many bytes as the operation has.</summary>
    private static Span<T> Elements<T>(ref Vector256<byte> value, int bytes)
        where T : unmanaged
        => MemoryMarshal.CreateSpan(ref Unsafe.As<Vector256<byte>, T>(ref value), bytes / Unsafe.SizeOf<T>());

    private static int WidthOf(in Instruction i) => i.Is256 ? 32 : 16;

    /// <summary>Reads the last operand, of which memory has fewer bytes than a register; such operands need no alignment.</summary>
    private static bool ReadNarrow(ref TCpu cpu, CpuState s, in Instruction i, int size, out Vector256<byte> value)
    {
        if (!i.HasMemoryOperand)
        {
            value = Vector256.Create(GetXmm(s, i.Rm), size > 16 ? Vector128.Create<byte>(s.Extended.YmmUpper(i.Rm)) : default);
            return true;
        }

        value = default;
        return (size <= 8 ? Address(s, in i, size, write: false, out ulong linear) : VectorAddress(s, in i, size, aligned: false, write: false, out linear))
            && ReadBytes(ref cpu, s, linear, Elements<byte>(ref value, size));
    }

    private static bool Lanes(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        if (v.Canonical == Operation.Sha256rnds2)
        {
            SetXmm(s, in i, i.Reg, VectorCrypto.Sha256Rounds(left.GetLower().AsUInt32(), right.GetLower().AsUInt32(), GetXmm(s, 0).AsUInt32()).AsByte());
            return true;
        }

        Vector128<byte> low = PackedInteger.Compute(v.Canonical, left.GetLower(), right.GetLower());
        if (!i.Is256)
        {
            SetXmm(s, in i, i.Reg, low);
            return true;
        }

        SetYmm(s, i.Reg, Vector256.Create(low, PackedInteger.Compute(v.Canonical, left.GetUpper(), right.GetUpper())));
        return true;
    }

    private static bool Unary(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> value))
        {
            return false;
        }

        Vector128<byte> low = PackedInteger.Compute(v.Canonical, value.GetLower());
        SetWide(s, in i, i.Reg, Vector256.Create(low, i.Is256 ? PackedInteger.Compute(v.Canonical, value.GetUpper()) : default));
        return true;
    }

    private static bool UnaryImmediate(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> value))
        {
            return false;
        }

        int immediate = (byte)i.Immediate;
        Vector128<byte> low = VectorShuffle.Compute(v.Canonical, value.GetLower(), immediate);
        SetWide(s, in i, i.Reg, Vector256.Create(low, i.Is256 ? VectorShuffle.Compute(v.Canonical, value.GetUpper(), immediate) : default));
        return true;
    }

    private static bool LanesImmediate(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out Vector256<byte> right))
        {
            return false;
        }

        int immediate = (byte)i.Immediate;
        Vector256<byte> left = FirstSource(s, in i);
        Vector128<byte> low = VectorShuffle.Compute(v.Canonical, left.GetLower(), right.GetLower(), immediate);
        if (!i.Is256)
        {
            SetXmm(s, in i, i.Reg, low);
            return true;
        }

        // The bits of the immediate are elements' or lanes' own; elsewhere both lanes share them.
        int upper = v.Canonical switch
        {
            Operation.Blendps or Operation.Vpblendd => immediate >> 4,
            Operation.Blendpd or Operation.Shufpd => immediate >> 2,
            Operation.Mpsadbw => immediate >> 3,
            _ => immediate,
        };
        SetYmm(s, i.Reg, Vector256.Create(low, VectorShuffle.Compute(v.Canonical, left.GetUpper(), right.GetUpper(), upper)));
        return true;
    }

    private static bool Shift(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        bool isImmediate = i.Pattern is Pattern.WI or Pattern.HWI;
        ulong count = (byte)i.Immediate;
        if (!isImmediate)
        {
            // The count has 128 bits in 256-bit forms too.
            if (!i.HasMemoryOperand)
            {
                count = GetXmm(s, i.Rm).AsUInt64().ToScalar();
            }
            else
            {
                Vector128<ulong> loaded = default;
                if (!VectorAddress(s, in i, 16, NeedsAlignment(s, in i), write: false, out ulong linear)
                    || !ReadBytes(ref cpu, s, linear, MemoryMarshal.AsBytes(new Span<Vector128<ulong>>(ref loaded))))
                {
                    return false;
                }

                count = loaded.ToScalar();
            }
        }

        int source = isImmediate ? i.Rm : i.IsVex ? i.Vvvv : i.Reg;
        int destination = !isImmediate ? i.Reg : i.IsVex ? i.Vvvv : i.Rm;
        Vector256<byte> value = GetWide(s, in i, source);
        Vector128<byte> low = PackedInteger.Shift(v.Canonical, value.GetLower(), count);
        SetWide(s, in i, destination, Vector256.Create(low, i.Is256 ? PackedInteger.Shift(v.Canonical, value.GetUpper(), count) : default));
        return true;
    }

    /// <summary>An MMX register or 64 bits of memory, of which the low unpacks take 32.</summary>
    private static bool ReadMmx(ref TCpu cpu, CpuState s, in Instruction i, int size, out ulong value)
    {
        if (!i.HasMemoryOperand)
        {
            value = GetMmx(s, i.Rm);
            return true;
        }

        value = 0;
        return Address(s, in i, size, write: false, out ulong linear) && ReadSized(ref cpu, s, linear, size, out value);
    }

    private static bool MmxLanes(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        int size = v.Canonical is Operation.Punpcklbw or Operation.Punpcklwd or Operation.Punpckldq ? 4 : 8;
        if (!ReadMmx(ref cpu, s, in i, size, out ulong right))
        {
            return false;
        }

        ulong left = GetMmx(s, i.Reg);
        SetMmx(s, i.Reg, v.Canonical == Operation.Palignr
            ? VectorShuffle.Align(left, right, (byte)i.Immediate)
            : PackedInteger.Compute(v.Canonical, left, right));
        return true;
    }

    private static bool MmxUnary(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadMmx(ref cpu, s, in i, 8, out ulong value))
        {
            return false;
        }

        Vector128<byte> operand = Vector128.CreateScalar(value).AsByte();
        Vector128<byte> result = v.Kind == VectorKind.Unary
            ? PackedInteger.Compute(v.Canonical, operand)
            : VectorShuffle.Compute(v.Canonical, operand, (byte)i.Immediate);
        SetMmx(s, i.Reg, result.AsUInt64().ToScalar());
        return true;
    }

    private static bool MmxShift(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        bool isImmediate = i.Pattern == Pattern.QI;
        ulong count = (byte)i.Immediate;
        if (!isImmediate && !ReadMmx(ref cpu, s, in i, 8, out count))
        {
            return false;
        }

        int register = isImmediate ? i.Rm : i.Reg;
        SetMmx(s, register, PackedInteger.Shift(v.Canonical, Vector128.CreateScalar(GetMmx(s, register)).AsByte(), count).AsUInt64().ToScalar());
        return true;
    }
}
