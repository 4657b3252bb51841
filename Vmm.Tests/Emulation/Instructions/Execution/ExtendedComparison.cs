// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Compares x87, SSE and AVX state in XSAVE areas as far as instructions can see it.</summary>
internal static class ExtendedComparison
{
    /// <summary>The first difference, or null.</summary>
    /// <param name="theirs">What a processor saved; components in their initial state may be absent.</param>
    /// <param name="ours">The executor's image, in which every component is current.</param>
    /// <param name="ignoresTags">Whether TOP and tags may differ.</param>
    internal static string? Difference(ReadOnlySpan<byte> theirs, ReadOnlySpan<byte> ours, bool ignoresTags = false)
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
            if (isValid && (inUse & 1) != 0 && !theirs.Slice(32 + register * 16, 10).SequenceEqual(ours.Slice(32 + register * 16, 10)))
            {
                return $"x87 register {register} differs";
            }
        }

        return null;
    }
}
