// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>The rules for values of XCR0 (Intel SDM volume 1, section 13.3).</summary>
public static class Xcr0
{
    private const ulong X87 = 1;
    private const ulong Sse = 1 << 1;
    private const ulong Avx = 1 << 2;

    /// <summary>
    /// Whether a host may give the value to a guest: x87 is set, AVX is not set without SSE, and no bit is outside the
    /// limit.
    /// </summary>
    /// <param name="value">The wanted value.</param>
    /// <param name="limit">The bits that the host allows.</param>
    /// <returns>Whether the value is acceptable.</returns>
    [VmmKernelSymbol("validate_guest_xcr0")]
    public static bool IsValidForGuest(ulong value, ulong limit) =>
        (value & X87) != 0
        && ((value & Avx) == 0 || (value & Sse) != 0)
        && (value & ~limit) == 0;
}
