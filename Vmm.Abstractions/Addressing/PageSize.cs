// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Addressing;

/// <summary>The size of a page, the unit in which guest memory is placed and tracked.</summary>
public static class PageSize
{
    /// <summary>Bytes in a page: 4096.</summary>
    public const ulong Bytes = 4096;

    /// <summary>Whether a length or address is a multiple of the page size.</summary>
    /// <param name="value">A length or an address in bytes.</param>
    /// <returns>Whether <paramref name="value"/> is a multiple of 4096.</returns>
    public static bool IsMultiple(ulong value) => (value & (Bytes - 1)) == 0;
}
