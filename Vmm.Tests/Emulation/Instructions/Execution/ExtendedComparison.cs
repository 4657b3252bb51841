// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Compares x87, SSE and AVX state in XSAVE areas as far as instructions can see it.</summary>
internal static class ExtendedComparison
{
    /// <summary>The first difference, or null.</summary>
    /// <param name="theirs">What a processor saved; components in their initial state may be absent.</param>
    /// <param name="ours">The executor's image, in which every component is current.</param>
    /// <param name="ignoresTags">Whether TOP and tags may differ.</param>
    /// <param name="ulps">How many units in the last place x87 registers may differ; if any, PE, UE and C1 may too.</param>
    internal static string? Difference(ReadOnlySpan<byte> theirs, ReadOnlySpan<byte> ours, bool ignoresTags = false, int ulps = 0)
    {
        ulong inUse = BitConverter.ToUInt64(theirs[512..]);

        // Bytes 5-23 are the last x87 instruction's code and pointers; 416-575 lie beyond the registers.
        foreach ((int start, int length, ulong component) in (ReadOnlySpan<(int, int, ulong)>)[(0, ignoresTags ? 3 : 5, 1), (24, 4, 0), (160, 256, 2), (576, 256, 4)])
        {
            bool saved = component == 0 || (inUse & component) != 0;
            if (component == 1 && !saved)
            {
                continue;
            }

            ReadOnlySpan<byte> expected = saved ? theirs.Slice(start, length) : new byte[length];
            ReadOnlySpan<byte> actual = ours.Slice(start, length);
            if (component == 1 && ulps != 0 && IsCloseStatus(expected, actual))
            {
                continue;
            }

            if (!expected.SequenceEqual(actual))
            {
                int at = expected.CommonPrefixLength(actual);
                return $"vector state at {start + at} is {expected[at]:X2}, ours {actual[at]:X2}";
            }
        }

        if (ignoresTags)
        {
            return null;
        }

        // An empty register has no content that an instruction could see.
        int top = BitConverter.ToUInt16(theirs[2..]) >> 11 & 7;
        for (int register = 0; register < 8; register++)
        {
            bool isValid = (theirs[4] >> (register + top & 7) & 1) != 0;
            ReadOnlySpan<byte> expected = theirs.Slice(32 + register * 16, 10);
            ReadOnlySpan<byte> actual = ours.Slice(32 + register * 16, 10);
            if (isValid && (inUse & 1) != 0 && !expected.SequenceEqual(actual) && (ulps == 0 || !IsClose(expected, actual, ulps)))
            {
                return $"x87 register {register} is {Hex(expected)}, ours {Hex(actual)}";
            }
        }

        return null;
    }

    /// <summary>Sign, exponent and significand in the order of writing.</summary>
    internal static string Hex(ReadOnlySpan<byte> number) => $"{BitConverter.ToUInt16(number[8..]):X4}.{BitConverter.ToUInt64(number):X16}";

    private static bool IsCloseStatus(ReadOnlySpan<byte> theirs, ReadOnlySpan<byte> ours)
    {
        const int Inexact = 0x230;
        return ((BitConverter.ToUInt16(theirs[2..]) ^ BitConverter.ToUInt16(ours[2..])) & ~Inexact) == 0 && theirs[0] == ours[0] && theirs[1] == ours[1]
            && theirs[4..].SequenceEqual(ours[4..]);
    }

    private static bool IsClose(ReadOnlySpan<byte> theirs, ReadOnlySpan<byte> ours, int ulps)
        => (theirs[9] >> 7) == (ours[9] >> 7) && Int128.Abs(Ordinal(theirs) - Ordinal(ours)) <= ulps;

    /// <summary>The place of a magnitude among all of the format; denormal numbers have the exponent of the smallest normal ones.</summary>
    private static Int128 Ordinal(ReadOnlySpan<byte> number)
        => ((Int128)(Math.Max(BitConverter.ToUInt16(number[8..]) & 0x7FFF, 1) - 1) << 63) + BitConverter.ToUInt64(number);
}
