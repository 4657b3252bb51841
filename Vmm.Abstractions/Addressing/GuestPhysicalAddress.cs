// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Addressing;

/// <summary>An address in the guest-physical space, in bytes (<c>vm_paddr_t</c>).</summary>
/// <param name="Value">The address; any 64-bit value can be written, whether memory is there is another matter.</param>
public readonly record struct GuestPhysicalAddress(ulong Value) : IComparable<GuestPhysicalAddress>
{
    /// <summary>Adds without wrapping.</summary>
    /// <param name="length">Bytes to add.</param>
    /// <param name="sum">The sum, wrapped when the method returns <see langword="false"/>.</param>
    /// <returns><see langword="false"/> when the sum leaves the 64-bit space.</returns>
    public bool TryAdd(ulong length, out GuestPhysicalAddress sum)
    {
        sum = new(unchecked(Value + length));
        return sum.Value >= Value;
    }

    /// <summary>The address of the 4 KiB page that holds this address.</summary>
    public GuestPhysicalAddress PageBase => new(Value & ~(PageSize.Bytes - 1));

    /// <summary>Whether the address is a multiple of 4096.</summary>
    public bool IsPageAligned => (Value & (PageSize.Bytes - 1)) == 0;

    /// <inheritdoc/>
    public int CompareTo(GuestPhysicalAddress other) => Value.CompareTo(other.Value);

    /// <summary>Whether the left address is below the right one.</summary>
    public static bool operator <(GuestPhysicalAddress left, GuestPhysicalAddress right) => left.Value < right.Value;

    /// <summary>Whether the left address is above the right one.</summary>
    public static bool operator >(GuestPhysicalAddress left, GuestPhysicalAddress right) => left.Value > right.Value;

    /// <summary>Whether the left address is not above the right one.</summary>
    public static bool operator <=(GuestPhysicalAddress left, GuestPhysicalAddress right) => left.Value <= right.Value;

    /// <summary>Whether the left address is not below the right one.</summary>
    public static bool operator >=(GuestPhysicalAddress left, GuestPhysicalAddress right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => $"gpa:0x{Value:x}";
}
