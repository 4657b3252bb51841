// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>
/// Arithmetic of one element, by the host's own operations where MXCSR rounds as the host does and operands and result are ordinary
/// numbers, so that inexactness is the only exception there can be: an error-free transformation finds it where it is not known
/// already. Everything else is <see cref="BinaryFloat{TFormat}"/>'s.
/// </summary>
internal static class SseArithmetic
{
    internal static ulong Compute64(FloatOperation operation, ulong left, ulong right, ref FloatStatus status)
    {
        if (status.IsDefault && (IsOrdinary64(left) || left == 0) && (IsOrdinary64(right) || right == 0 && operation != FloatOperation.Divide))
        {
            double a = BitConverter.UInt64BitsToDouble(left);
            double b = BitConverter.UInt64BitsToDouble(right);
            double result = operation switch
            {
                FloatOperation.Add => a + b,
                FloatOperation.Subtract => a - b,
                FloatOperation.Multiply => a * b,
                FloatOperation.Divide => a / b,
                FloatOperation.Minimum => a < b ? a : b,
                _ => a > b ? a : b,
            };
            ulong bits = BitConverter.DoubleToUInt64Bits(result);
            if (IsOrdinary64(bits))
            {
                if ((status.Flags & FloatFlags.Precision) == 0 && IsInexact64(operation, a, b, result))
                {
                    status.Raise(FloatFlags.Precision);
                }

                return bits;
            }
        }

        return BinaryFloat<Double64>.Compute(operation, left, right, ref status);
    }

    internal static uint Compute32(FloatOperation operation, uint left, uint right, ref FloatStatus status)
    {
        if (status.IsDefault && (IsOrdinary32(left) || left == 0) && (IsOrdinary32(right) || right == 0 && operation != FloatOperation.Divide))
        {
            float a = BitConverter.UInt32BitsToSingle(left);
            float b = BitConverter.UInt32BitsToSingle(right);
            float result = operation switch
            {
                FloatOperation.Add => a + b,
                FloatOperation.Subtract => a - b,
                FloatOperation.Multiply => a * b,
                FloatOperation.Divide => a / b,
                FloatOperation.Minimum => a < b ? a : b,
                _ => a > b ? a : b,
            };
            uint bits = BitConverter.SingleToUInt32Bits(result);
            if (IsOrdinary32(bits))
            {
                if ((status.Flags & FloatFlags.Precision) == 0 && IsInexact32(operation, a, b, result))
                {
                    status.Raise(FloatFlags.Precision);
                }

                return bits;
            }
        }

        return (uint)BinaryFloat<Single32>.Compute(operation, left, right, ref status);
    }

    internal static ulong SquareRoot64(ulong value, ref FloatStatus status)
    {
        if (status.IsDefault && IsOrdinary64(value) && (long)value >= 0)
        {
            double a = BitConverter.UInt64BitsToDouble(value);
            double root = Math.Sqrt(a);
            if ((status.Flags & FloatFlags.Precision) == 0 && Math.FusedMultiplyAdd(root, root, -a) != 0)
            {
                status.Raise(FloatFlags.Precision);
            }

            return BitConverter.DoubleToUInt64Bits(root);
        }

        return BinaryFloat<Double64>.SquareRoot(value, ref status);
    }

    internal static uint SquareRoot32(uint value, ref FloatStatus status)
    {
        if (status.IsDefault && IsOrdinary32(value) && (int)value >= 0)
        {
            float a = BitConverter.UInt32BitsToSingle(value);
            float root = MathF.Sqrt(a);
            if ((status.Flags & FloatFlags.Precision) == 0 && (double)root * root != a)
            {
                status.Raise(FloatFlags.Precision);
            }

            return BitConverter.SingleToUInt32Bits(root);
        }

        return (uint)BinaryFloat<Single32>.SquareRoot(value, ref status);
    }

    /// <summary>
    /// Far from both ends of the exponents: neither overflow nor underflow can have a part in it, nor spoil a residual, which is
    /// 2^106 times smaller at most.
    /// </summary>
    private static bool IsOrdinary64(ulong bits) => (bits >> 52 & 0x7FF) - 0x100 < 0x6F0;

    private static bool IsOrdinary32(uint bits) => (bits >> 23 & 0xFF) - 0x20 < 0xD0;

    private static bool IsInexact64(FloatOperation operation, double a, double b, double result)
    {
        switch (operation)
        {
            case FloatOperation.Add or FloatOperation.Subtract:
                // Knuth's two-sum.
                double addend = operation == FloatOperation.Add ? b : -b;
                double part = result - a;
                return (a - (result - part)) + (addend - part) != 0;
            case FloatOperation.Multiply:
                return Math.FusedMultiplyAdd(a, b, -result) != 0;
            case FloatOperation.Divide:
                return Math.FusedMultiplyAdd(result, b, -a) != 0;
            default:
                return false;
        }
    }

    /// <summary>Products of two singles are exact in double, and so is what is left of a sum or quotient.</summary>
    private static bool IsInexact32(FloatOperation operation, float a, float b, float result)
    {
        switch (operation)
        {
            case FloatOperation.Add or FloatOperation.Subtract:
                float addend = operation == FloatOperation.Add ? b : -b;
                float part = result - a;
                return (a - (result - part)) + (addend - part) != 0;
            case FloatOperation.Multiply:
                return (double)a * b != result;
            case FloatOperation.Divide:
                return (double)result * b != a;
            default:
                return false;
        }
    }
}
