// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;
using Vmm.Emulation.Instructions.Vectors;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>SSE and AVX floating point: arithmetic and comparisons.</summary>
internal static partial class Interpreter<TCpu>
{
    private const ulong Cr4OsXmmExceptions = 1 << 10;

    /// <summary>
    /// Reports exceptions: with one that is not masked nothing but the flags changes. An unmasked exception of the operands keeps
    /// all elements from being computed, and thus from having others (volume 1, section 11.5.3 and appendix E.4.2).
    /// </summary>
    private static bool Report(CpuState s, in FloatStatus status)
    {
        FloatFlags raised = status.Flags;
        if (raised == FloatFlags.None)
        {
            return true;
        }

        FloatFlags unmasked = raised & ~status.Masks;
        if ((unmasked & FloatFlags.Operands) != 0)
        {
            raised &= FloatFlags.Operands;
        }

        s.Extended.MxcsrValue |= (uint)raised;
        return unmasked == 0 || Fault(s, (s.Cr4 & Cr4OsXmmExceptions) != 0 ? Vector.SimdException : Vector.InvalidOpcode);
    }

    /// <summary>Reads the last operand: all of it, or its first element.</summary>
    private static bool ReadFloat(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v, out Vector256<byte> value)
        => v.IsScalar
            ? ReadNarrow(ref cpu, s, in i, v.IsDouble ? 8 : 4, out value)
            : ReadWide(ref cpu, s, in i, NeedsAlignment(s, in i), out value);

    /// <summary>The bytes that the elements take.</summary>
    private static int FloatBytes(in Instruction i, in VectorOperation v) => v.IsScalar ? v.IsDouble ? 8 : 4 : WidthOf(in i);

    /// <summary>Writes a result that began as the first source: a scalar one leaves the rest of its 128 bits as it was there.</summary>
    private static bool Finish(CpuState s, in Instruction i, in VectorOperation v, in Vector256<byte> result, in FloatStatus status)
    {
        if (!Report(s, in status))
        {
            return false;
        }

        if (v.IsScalar)
        {
            SetXmm(s, in i, i.Reg, result.GetLower());
        }
        else
        {
            SetWide(s, in i, i.Reg, result);
        }

        return true;
    }

    private static bool FloatBinary(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        FloatOperation operation = i.Opcode switch
        {
            0x58 => FloatOperation.Add,
            0x59 => FloatOperation.Multiply,
            0x5C => FloatOperation.Subtract,
            0x5D => FloatOperation.Minimum,
            0x5E => FloatOperation.Divide,
            _ => FloatOperation.Maximum,
        };
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        FloatStatus status = new(s.Extended.MxcsrValue);
        int bytes = FloatBytes(in i, in v);
        if (v.IsDouble)
        {
            Span<ulong> a = Elements<ulong>(ref left, bytes);
            Span<ulong> b = Elements<ulong>(ref right, bytes);
            for (int n = 0; n < a.Length; n++)
            {
                a[n] = SseArithmetic.Compute64(operation, a[n], b[n], ref status);
            }
        }
        else
        {
            Span<uint> a = Elements<uint>(ref left, bytes);
            Span<uint> b = Elements<uint>(ref right, bytes);
            for (int n = 0; n < a.Length; n++)
            {
                a[n] = SseArithmetic.Compute32(operation, a[n], b[n], ref status);
            }
        }

        return Finish(s, in i, in v, in left, in status);
    }

    private static bool FloatSquareRoot(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> value))
        {
            return false;
        }

        Vector256<byte> result = FirstSource(s, in i);
        FloatStatus status = new(s.Extended.MxcsrValue);
        int bytes = FloatBytes(in i, in v);
        if (v.IsDouble)
        {
            Span<ulong> to = Elements<ulong>(ref result, bytes);
            Span<ulong> from = Elements<ulong>(ref value, bytes);
            for (int n = 0; n < to.Length; n++)
            {
                to[n] = SseArithmetic.SquareRoot64(from[n], ref status);
            }
        }
        else
        {
            Span<uint> to = Elements<uint>(ref result, bytes);
            Span<uint> from = Elements<uint>(ref value, bytes);
            for (int n = 0; n < to.Length; n++)
            {
                to[n] = SseArithmetic.SquareRoot32(from[n], ref status);
            }
        }

        return Finish(s, in i, in v, in result, in status);
    }

    /// <summary>
    /// RCPPS and RSQRTPS: the manual bounds their error only, and processors differ within the bound; these are the host's. They
    /// have no exceptions and do not depend on MXCSR.
    /// </summary>
    private static bool FloatApproximate(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> value))
        {
            return false;
        }

        bool isReciprocal = v.Canonical is Operation.Rcpps or Operation.Rcpss;
        Vector128<byte> low = PackedApproximation.Compute(value.GetLower(), isReciprocal);
        if (v.IsScalar)
        {
            low = FirstSource(s, in i).GetLower().AsUInt32().WithElement(0, low.AsUInt32().ToScalar()).AsByte();
            SetXmm(s, in i, i.Reg, low);
            return true;
        }

        SetWide(s, in i, i.Reg, Vector256.Create(low, PackedApproximation.Compute(value.GetUpper(), isReciprocal)));
        return true;
    }

    private static bool FloatCompare(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        FloatStatus status = new(s.Extended.MxcsrValue);
        FloatPredicate predicate = new((int)i.Immediate & (i.IsVex ? 31 : 7));
        int bytes = FloatBytes(in i, in v);
        if (v.IsDouble)
        {
            Span<ulong> a = Elements<ulong>(ref left, bytes);
            Span<ulong> b = Elements<ulong>(ref right, bytes);
            for (int n = 0; n < a.Length; n++)
            {
                a[n] = predicate.Accepts(BinaryFloat<Double64>.Compare(a[n], b[n], predicate.Signals, ref status)) ? ulong.MaxValue : 0;
            }
        }
        else
        {
            Span<uint> a = Elements<uint>(ref left, bytes);
            Span<uint> b = Elements<uint>(ref right, bytes);
            for (int n = 0; n < a.Length; n++)
            {
                a[n] = predicate.Accepts(BinaryFloat<Single32>.Compare(a[n], b[n], predicate.Signals, ref status)) ? uint.MaxValue : 0;
            }
        }

        return Finish(s, in i, in v, in left, in status);
    }

    /// <summary>COMISS signals QNaNs, UCOMISS does not.</summary>
    private static bool FloatOrder(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> right))
        {
            return false;
        }

        bool signals = v.Canonical is Operation.Comiss or Operation.Comisd;
        FloatStatus status = new(s.Extended.MxcsrValue);
        Vector128<byte> left = GetXmm(s, i.Reg);
        FloatRelation relation = v.IsDouble
            ? BinaryFloat<Double64>.Compare(left.AsUInt64().ToScalar(), right.AsUInt64().ToScalar(), signals, ref status)
            : BinaryFloat<Single32>.Compare(left.AsUInt32().ToScalar(), right.AsUInt32().ToScalar(), signals, ref status);
        if (!Report(s, in status))
        {
            return false;
        }

        SetStatus(s, FlagsOf(relation));
        return true;
    }

    private static ulong FlagsOf(FloatRelation relation) => relation switch
    {
        FloatRelation.Unordered => FlagBits.Zero | FlagBits.Parity | FlagBits.Carry,
        FloatRelation.Less => FlagBits.Carry,
        FloatRelation.Equal => FlagBits.Zero,
        _ => 0,
    };

    private static bool FloatRound(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> value))
        {
            return false;
        }

        Vector256<byte> result = FirstSource(s, in i);
        FloatStatus status = new(s.Extended.MxcsrValue);
        int control = (int)i.Immediate;
        RoundingMode mode = (control & 4) != 0 ? status.Rounding : (RoundingMode)(control & 3);
        bool suppresses = (control & 8) != 0;
        int bytes = FloatBytes(in i, in v);
        if (v.IsDouble)
        {
            Span<ulong> to = Elements<ulong>(ref result, bytes);
            Span<ulong> from = Elements<ulong>(ref value, bytes);
            for (int n = 0; n < to.Length; n++)
            {
                to[n] = BinaryFloat<Double64>.RoundToIntegral(from[n], mode, suppresses, ref status);
            }
        }
        else
        {
            Span<uint> to = Elements<uint>(ref result, bytes);
            Span<uint> from = Elements<uint>(ref value, bytes);
            for (int n = 0; n < to.Length; n++)
            {
                to[n] = (uint)BinaryFloat<Single32>.RoundToIntegral(from[n], mode, suppresses, ref status);
            }
        }

        return Finish(s, in i, in v, in result, in status);
    }

    /// <summary>Sums and differences of neighbours, and ADDSUB: differences in even elements, sums in odd ones.</summary>
    private static bool FloatPairs(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        Vector256<byte> result = default;
        FloatStatus status = new(s.Extended.MxcsrValue);
        bool alternates = v.Canonical is Operation.Addsubps or Operation.Addsubpd;
        bool subtracts = v.Canonical is Operation.Hsubps or Operation.Hsubpd;
        int perLane = v.IsDouble ? 2 : 4;
        for (int n = 0; n < WidthOf(in i) * perLane / 16; n++)
        {
            FloatOperation operation = (alternates ? (n & 1) == 0 : subtracts) ? FloatOperation.Subtract : FloatOperation.Add;
            int lane = n / perLane * perLane;
            int within = n % perLane;
            bool fromRight = within >= perLane / 2;
            int pair = lane + within % (perLane / 2) * 2;
            if (v.IsDouble)
            {
                Vector256<ulong> from = (fromRight ? right : left).AsUInt64();
                ulong computed = alternates
                    ? SseArithmetic.Compute64(operation, left.AsUInt64().GetElement(n), right.AsUInt64().GetElement(n), ref status)
                    : SseArithmetic.Compute64(operation, from.GetElement(pair), from.GetElement(pair + 1), ref status);
                result = result.AsUInt64().WithElement(n, computed).AsByte();
            }
            else
            {
                Vector256<uint> from = (fromRight ? right : left).AsUInt32();
                uint computed = alternates
                    ? SseArithmetic.Compute32(operation, left.AsUInt32().GetElement(n), right.AsUInt32().GetElement(n), ref status)
                    : SseArithmetic.Compute32(operation, from.GetElement(pair), from.GetElement(pair + 1), ref status);
                result = result.AsUInt32().WithElement(n, computed).AsByte();
            }
        }

        return Finish(s, in i, in v, in result, in status);
    }

    /// <summary>
    /// DPPS and DPPD: products that the immediate's upper half selects, their sum in the elements that its lower half names. Exceptions
    /// come up step by step: products first, then pairs, then the sum (volume 2, DPPS); one that is not masked ends it there.
    /// </summary>
    private static bool FloatDot(ref TCpu cpu, CpuState s, in Instruction i, in VectorOperation v)
    {
        if (!ReadFloat(ref cpu, s, in i, in v, out Vector256<byte> right))
        {
            return false;
        }

        Vector256<byte> left = FirstSource(s, in i);
        Vector256<byte> result = default;
        FloatStatus status = new(s.Extended.MxcsrValue);
        int immediate = (int)i.Immediate;
        if (v.IsDouble)
        {
            ulong p0 = (immediate & 0x10) != 0 ? SseArithmetic.Compute64(FloatOperation.Multiply, left.AsUInt64().GetElement(0), right.AsUInt64().GetElement(0), ref status) : 0;
            ulong p1 = (immediate & 0x20) != 0 ? SseArithmetic.Compute64(FloatOperation.Multiply, left.AsUInt64().GetElement(1), right.AsUInt64().GetElement(1), ref status) : 0;
            if (!Report(s, in status))
            {
                return false;
            }

            ulong sum = SseArithmetic.Compute64(FloatOperation.Add, p0, p1, ref status);
            result = Vector256.Create((immediate & 1) != 0 ? sum : 0, (immediate & 2) != 0 ? sum : 0, 0, 0).AsByte();
            return Finish(s, in i, in v, in result, in status);
        }

        int count = WidthOf(in i) / 4;
        Span<uint> products = stackalloc uint[8];
        Span<uint> a = Elements<uint>(ref left, 32);
        Span<uint> b = Elements<uint>(ref right, 32);
        for (int n = 0; n < count; n++)
        {
            products[n] = (immediate >> 4 + (n & 3) & 1) != 0 ? SseArithmetic.Compute32(FloatOperation.Multiply, a[n], b[n], ref status) : 0;
        }

        if (!Report(s, in status))
        {
            return false;
        }

        for (int n = 0; n < count; n += 2)
        {
            products[n] = SseArithmetic.Compute32(FloatOperation.Add, products[n], products[n + 1], ref status);
        }

        if (!Report(s, in status))
        {
            return false;
        }

        Span<uint> sums = Elements<uint>(ref result, 32);
        for (int lane = 0; lane < count; lane += 4)
        {
            uint sum = SseArithmetic.Compute32(FloatOperation.Add, products[lane], products[lane + 2], ref status);
            for (int n = 0; n < 4; n++)
            {
                sums[lane + n] = (immediate >> n & 1) != 0 ? sum : 0;
            }
        }

        return Finish(s, in i, in v, in result, in status);
    }
}
