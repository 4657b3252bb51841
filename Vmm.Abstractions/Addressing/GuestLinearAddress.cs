// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Addressing;

/// <summary>An address in a guest's linear (virtual, after segmentation) space, in bytes.</summary>
/// <param name="Value">The address.</param>
public readonly record struct GuestLinearAddress(ulong Value)
{
    /// <summary>
    /// Whether bits 63 to 47 are equal, as 64-bit mode demands with four levels of page tables (Intel SDM volume 1,
    /// section 3.3.7.1).
    /// </summary>
    public bool IsCanonical => (ulong)((long)(Value << 16) >> 16) == Value;

    /// <inheritdoc/>
    public override string ToString() => $"gla:0x{Value:x}";
}
