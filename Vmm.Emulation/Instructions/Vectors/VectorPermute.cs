// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>Permutations of AVX and AVX2.</summary>
internal static class VectorPermute
{
    /// <summary>VPERM2F128: each half of the result is one of four lanes, or zero.</summary>
    internal static Vector256<byte> Lanes(Vector256<byte> a, Vector256<byte> b, int control)
    {
        return Vector256.Create(Lane(control), Lane(control >> 4));

        Vector128<byte> Lane(int choice) => (choice & 8) != 0 ? default
            : (choice & 3) switch
            {
                0 => a.GetLower(),
                1 => a.GetUpper(),
                2 => b.GetLower(),
                _ => b.GetUpper(),
            };
    }

    /// <summary>VPERMD: the low three bits of each index count.</summary>
    internal static Vector256<uint> Elements(Vector256<uint> value, Vector256<uint> index)
    {
        Vector256<uint> result = default;
        for (int n = 0; n < 8; n++)
        {
            result = result.WithElement(n, value.GetElement((int)index.GetElement(n) & 7));
        }

        return result;
    }

    /// <summary>VPERMQ.</summary>
    internal static Vector256<ulong> Quads(Vector256<ulong> value, int control) => Vector256.Create(
        value.GetElement(control & 3), value.GetElement(control >> 2 & 3), value.GetElement(control >> 4 & 3), value.GetElement(control >> 6 & 3));

    /// <summary>VPERMILPS with an immediate.</summary>
    internal static Vector256<uint> InLanes(Vector256<uint> value, int control)
    {
        Vector256<uint> result = default;
        for (int n = 0; n < 8; n++)
        {
            result = result.WithElement(n, value.GetElement(n & 4 | control >> (n & 3) * 2 & 3));
        }

        return result;
    }

    /// <summary>VPERMILPS with a control for each element.</summary>
    internal static Vector256<uint> InLanes(Vector256<uint> value, Vector256<uint> control)
    {
        Vector256<uint> result = default;
        for (int n = 0; n < 8; n++)
        {
            result = result.WithElement(n, value.GetElement(n & 4 | (int)control.GetElement(n) & 3));
        }

        return result;
    }

    /// <summary>VPERMILPD with an immediate.</summary>
    internal static Vector256<ulong> InLanes(Vector256<ulong> value, int control) => Vector256.Create(
        value.GetElement(control & 1), value.GetElement(control >> 1 & 1), value.GetElement(2 | control >> 2 & 1), value.GetElement(2 | control >> 3 & 1));

    /// <summary>VPERMILPD with a control for each element: its bit 1.</summary>
    internal static Vector256<ulong> InLanes(Vector256<ulong> value, Vector256<ulong> control)
    {
        Vector256<ulong> result = default;
        for (int n = 0; n < 4; n++)
        {
            result = result.WithElement(n, value.GetElement(n & 2 | (int)(control.GetElement(n) >> 1) & 1));
        }

        return result;
    }
}
