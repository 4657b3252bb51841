// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>A set of pages of any size that says of a linear address that no page of the set holds it, or that one may.</summary>
internal sealed class PageFilter
{
    private const int BitCount = 4096;

    private readonly ulong[] _bits = new ulong[BitCount / 64];

    internal void Add(ulong linear, int pageBits)
    {
        int bit = BitOf(linear, pageBits);
        _bits[bit >> 6] |= 1UL << bit;
    }

    internal void Clear() => Array.Clear(_bits);

    /// <summary>Looks for the address in pages of 4 KiB, 2 MiB, 4 MiB and 1 GiB.</summary>
    internal bool MayHold(ulong linear) => Has(linear, 12) || Has(linear, 21) || Has(linear, 22) || Has(linear, 30);

    private static int BitOf(ulong linear, int pageBits)
        => (int)(((linear >> pageBits) * 32 + (uint)pageBits) * 0x9E37_79B9_7F4A_7C15 >> 52);

    private bool Has(ulong linear, int pageBits)
    {
        int bit = BitOf(linear, pageBits);
        return (_bits[bit >> 6] >> bit & 1) != 0;
    }
}
