// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>The comparison that the immediate of PCMPESTRI and its kind describes (volume 2, imm8 control byte of PCMPESTRI and its kind).</summary>
/// <param name="control">The immediate.</param>
internal readonly struct TextComparison(int control)
{
    private bool IsWords => (control & 1) != 0;

    private bool IsSigned => (control & 2) != 0;

    /// <summary>Elements of an operand.</summary>
    internal int Count => IsWords ? 8 : 16;

    private uint AllOnes => (1u << Count) - 1;

    /// <summary>The length that a register gives: its magnitude, at most a whole operand.</summary>
    internal int Length(long value) => value == long.MinValue ? Count : (int)Math.Min(Math.Abs(value), Count);

    /// <summary>The length up to the first element that is zero.</summary>
    internal int Length(Vector128<byte> text)
    {
        int length = 0;
        while (length < Count && Element(text, length) != 0)
        {
            length++;
        }

        return length;
    }

    /// <summary>The intermediate result 2: a bit for each element of the second operand.</summary>
    internal uint Compare(Vector128<byte> first, Vector128<byte> second, int length1, int length2)
    {
        uint result = (control >> 2 & 3) switch
        {
            0 => EqualAny(first, second, length1, length2),
            1 => Ranges(first, second, length1, length2),
            2 => EqualEach(first, second, length1, length2),
            _ => EqualOrdered(first, second, length1, length2),
        };
        return (control >> 4 & 3) switch
        {
            1 => result ^ AllOnes,
            3 => result ^ (1u << length2) - 1,
            _ => result,
        };
    }

    /// <summary>The result of the forms that give a mask: its bits, or elements of ones and zeros.</summary>
    internal Vector128<byte> Mask(uint result, bool expands)
    {
        if (!expands)
        {
            return Vector128.CreateScalar(result).AsByte();
        }

        Vector128<byte> mask = default;
        for (int at = 0; at < 16; at++)
        {
            mask = (result >> (IsWords ? at >> 1 : at) & 1) != 0 ? mask.WithElement(at, byte.MaxValue) : mask;
        }

        return mask;
    }

    private int Element(Vector128<byte> text, int n) => IsWords
        ? IsSigned ? text.AsInt16().GetElement(n) : text.AsUInt16().GetElement(n)
        : IsSigned ? text.AsSByte().GetElement(n) : text.GetElement(n);

    private uint EqualAny(Vector128<byte> first, Vector128<byte> second, int length1, int length2)
    {
        uint result = 0;
        for (int j = 0; j < length2; j++)
        {
            for (int n = 0; n < length1; n++)
            {
                result |= Element(first, n) == Element(second, j) ? 1u << j : 0;
            }
        }

        return result;
    }

    private uint Ranges(Vector128<byte> first, Vector128<byte> second, int length1, int length2)
    {
        uint result = 0;
        for (int j = 0; j < length2; j++)
        {
            int value = Element(second, j);

            // An odd end leaves its range incomplete.
            for (int n = 0; n + 1 < length1; n += 2)
            {
                result |= value >= Element(first, n) && value <= Element(first, n + 1) ? 1u << j : 0;
            }
        }

        return result;
    }

    /// <summary>Where both texts have ended they count as equal.</summary>
    private uint EqualEach(Vector128<byte> first, Vector128<byte> second, int length1, int length2)
    {
        uint result = 0;
        for (int n = 0; n < Count; n++)
        {
            bool equal = n < length1 && n < length2 ? Element(first, n) == Element(second, n) : n >= length1 && n >= length2;
            result |= equal ? 1u << n : 0;
        }

        return result;
    }

    /// <summary>Whether the first text begins at an element of the second one, as far as that reaches.</summary>
    private uint EqualOrdered(Vector128<byte> first, Vector128<byte> second, int length1, int length2)
    {
        uint result = 0;
        for (int j = 0; j < Count; j++)
        {
            bool matches = true;
            for (int n = 0; n < length1 && j + n < Count; n++)
            {
                matches &= j + n < length2 && Element(first, n) == Element(second, j + n);
            }

            result |= matches ? 1u << j : 0;
        }

        return result;
    }
}
