// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Conversions among floating-point formats and integers.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool IntegerToScalar(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        bool isWide = i.IsWide && s.CodeSize == CodeSize.Bits64;
        if (!ReadESized(ref cpu, s, in i, isWide ? 8 : 4, out ulong value))
        {
            return false;
        }

        FloatStatus status = new(s.Extended.MxcsrValue);
        long integer = isWide ? (long)value : (int)value;
        Vector256<byte> result = FirstSource(s, in i);
        result = v.IsDouble
            ? result.AsUInt64().WithElement(0, BinaryFloat<Double64>.FromInteger(integer, ref status)).AsByte()
            : result.AsUInt32().WithElement(0, (uint)BinaryFloat<Single32>.FromInteger(integer, ref status)).AsByte();
        return Finish(s, in i, in v, in result, in status);
    }

    private static bool ScalarToInteger(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> value))
        {
            return false;
        }

        bool isWide = i.IsWide && s.CodeSize == CodeSize.Bits64;
        FloatStatus status = new(s.Extended.MxcsrValue);
        RoundingMode mode = v.Canonical is Operation.Cvttss2si or Operation.Cvttsd2si ? RoundingMode.TowardZero : status.Rounding;
        int width = isWide ? 64 : 32;
        long result = v.IsDouble
            ? BinaryFloat<Double64>.ToInteger(value.AsUInt64().ToScalar(), width, mode, ref status)
            : BinaryFloat<Single32>.ToInteger(value.AsUInt32().ToScalar(), width, mode, ref status);
        if (!Report(s, in status))
        {
            return false;
        }

        s.General[i.Reg] = isWide ? (ulong)result : (uint)result;
        return true;
    }

    private static bool ScalarToScalar(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> value))
        {
            return false;
        }

        FloatStatus status = new(s.Extended.MxcsrValue);
        Vector256<byte> result = FirstSource(s, in i);
        result = v.IsDouble
            ? result.AsUInt32().WithElement(0, (uint)BinaryFloat<Double64>.ConvertTo<Single32>(value.AsUInt64().ToScalar(), ref status)).AsByte()
            : result.AsUInt64().WithElement(0, BinaryFloat<Single32>.ConvertTo<Double64>(value.AsUInt32().ToScalar(), ref status)).AsByte();
        return Finish(s, in i, in v, in result, in status);
    }

    /// <summary>Conversions of all elements; where one side's are twice as wide, the other side is half a register.</summary>
    private static bool PackedConvert(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        bool widens = v.Canonical is Operation.Cvtdq2pd or Operation.Cvtps2pd;
        bool narrows = v.Canonical is Operation.Cvtpd2dq or Operation.Cvttpd2dq or Operation.Cvtpd2ps;
        Vector256<byte> source;
        if (widens ? !ReadNarrow(ref cpu, s, in i, WidthOf(in i) / 2, out source) : !ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out source))
        {
            return false;
        }

        FloatStatus status = new(s.Extended.MxcsrValue);
        Vector256<byte> result = default;
        int count = WidthOf(in i) / (widens || narrows ? 8 : 4);
        for (int n = 0; n < count; n++)
        {
            ConvertElement(v.Canonical, n, in source, ref result, ref status);
        }

        if (!Report(s, in status))
        {
            return false;
        }

        if (narrows)
        {
            SetXmm(s, in i, i.Reg, result.GetLower());
        }
        else
        {
            SetWide(s, in i, i.Reg, result);
        }

        return true;
    }

    private static void ConvertElement(Operation operation, int n, in Vector256<byte> source, ref Vector256<byte> result, ref FloatStatus status)
    {
        RoundingMode mode = operation is Operation.Cvttps2dq or Operation.Cvttpd2dq ? RoundingMode.TowardZero : status.Rounding;
        switch (operation)
        {
            case Operation.Cvtdq2ps:
                SetElement(ref result, n, (uint)BinaryFloat<Single32>.FromInteger(source.AsInt32().GetElement(n), ref status));
                break;
            case Operation.Cvtdq2pd:
                SetElement(ref result, n, BinaryFloat<Double64>.FromInteger(source.AsInt32().GetElement(n), ref status));
                break;
            case Operation.Cvtps2dq or Operation.Cvttps2dq:
                SetElement(ref result, n, (uint)BinaryFloat<Single32>.ToInteger(source.AsUInt32().GetElement(n), 32, mode, ref status));
                break;
            case Operation.Cvtpd2dq or Operation.Cvttpd2dq:
                SetElement(ref result, n, (uint)BinaryFloat<Double64>.ToInteger(source.AsUInt64().GetElement(n), 32, mode, ref status));
                break;
            case Operation.Cvtps2pd:
                SetElement(ref result, n, BinaryFloat<Single32>.ConvertTo<Double64>(source.AsUInt32().GetElement(n), ref status));
                break;
            default:
                SetElement(ref result, n, (uint)BinaryFloat<Double64>.ConvertTo<Single32>(source.AsUInt64().GetElement(n), ref status));
                break;
        }
    }

    private static void SetElement(ref Vector256<byte> vector, int n, uint value) => vector = vector.AsUInt32().WithElement(n, value).AsByte();

    private static void SetElement(ref Vector256<byte> vector, int n, ulong value) => vector = vector.AsUInt64().WithElement(n, value).AsByte();

    /// <summary>Conversions between two integers in an MMX register and two numbers in an XMM register.</summary>
    private static bool ConvertMmx(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        bool toMmx = i.Pattern == Pattern.PW;

        // From memory CVTPI2PD leaves the x87 alone; CVTPI2PS does so on AMD's processors (volume 2, CVTPI2PS; AMD, volume 4, CVTPI2PS).
        bool usesMmx = toMmx || !i.HasMemoryOperand || v.Canonical == Operation.Cvtpi2ps && !s.IsAmd;
        if (!IsVectorUsable(s, in i) || usesMmx && !BeginMmx(s))
        {
            return false;
        }

        FloatStatus status = new(s.Extended.MxcsrValue);
        Vector256<byte> result = default;
        if (!toMmx)
        {
            if (!ReadMmx(ref cpu, s, in i, 8, out ulong integers))
            {
                return false;
            }

            Operation convert = v.IsDouble ? Operation.Cvtdq2pd : Operation.Cvtdq2ps;
            result = Vector256.Create(GetXmm(s, i.Reg), default);
            Vector256<byte> source = Vector256.CreateScalar(integers).AsByte();
            ConvertElement(convert, 0, in source, ref result, ref status);
            ConvertElement(convert, 1, in source, ref result, ref status);
            if (!Report(s, in status))
            {
                return false;
            }

            if (usesMmx)
            {
                EnterMmx(s);
            }

            SetXmm(s, in i, i.Reg, result.GetLower());
            return true;
        }

        Vector256<byte> numbers;
        if (v.IsDouble ? !ReadWide(ref cpu, s, in i, aligned: true, out numbers) : !ReadNarrow(ref cpu, s, in i, 8, out numbers))
        {
            return false;
        }

        Operation operation = v.Canonical switch
        {
            Operation.Cvtps2pi => Operation.Cvtps2dq,
            Operation.Cvttps2pi => Operation.Cvttps2dq,
            Operation.Cvtpd2pi => Operation.Cvtpd2dq,
            _ => Operation.Cvttpd2dq,
        };
        ConvertElement(operation, 0, in numbers, ref result, ref status);
        ConvertElement(operation, 1, in numbers, ref result, ref status);
        if (!Report(s, in status))
        {
            return false;
        }

        SetMmx(s, i.Reg, result.AsUInt64().ToScalar());
        return true;
    }
}
