// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Addressing;

/// <summary>
/// A range of guest-physical addresses that is not empty and does not wrap; it is held with its last address, so that a
/// range may end at the very top of the space.
/// </summary>
public readonly record struct GuestPhysicalRange
{
    private GuestPhysicalRange(GuestPhysicalAddress start, GuestPhysicalAddress last)
    {
        Start = start;
        Last = last;
    }

    /// <summary>The first address of the range.</summary>
    public GuestPhysicalAddress Start { get; }

    /// <summary>The last address of the range; the range contains it.</summary>
    public GuestPhysicalAddress Last { get; }

    /// <summary>The length in bytes; 0 stands for the whole 64-bit space.</summary>
    public ulong Length => unchecked(Last.Value - Start.Value + 1);

    /// <summary>Builds a range from its start and length.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">The length in bytes, at least 1.</param>
    /// <returns>The range.</returns>
    /// <exception cref="VmmException">EINVAL: the length is 0 or the range leaves the 64-bit space.</exception>
    public static GuestPhysicalRange Create(GuestPhysicalAddress start, ulong length) =>
        TryCreate(start, length, out GuestPhysicalRange range)
            ? range
            : throw new VmmException(
                "GuestPhysicalRange", VmmError.EINVAL, $"{length} bytes at {start} are empty or leave the 64-bit space");

    /// <summary>Builds a range from its start and length.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">The length in bytes.</param>
    /// <param name="range">The range.</param>
    /// <returns><see langword="false"/> when the length is 0 or the range leaves the 64-bit space.</returns>
    public static bool TryCreate(GuestPhysicalAddress start, ulong length, out GuestPhysicalRange range)
    {
        bool valid = length != 0 && start.TryAdd(length - 1, out _);
        range = valid ? new(start, new(start.Value + length - 1)) : default;
        return valid;
    }

    /// <summary>Whether the address lies in the range.</summary>
    /// <param name="address">The address.</param>
    /// <returns>Whether the range contains it.</returns>
    public bool Contains(GuestPhysicalAddress address) => address >= Start && address <= Last;

    /// <summary>Whether the two ranges share an address.</summary>
    /// <param name="other">The other range.</param>
    /// <returns>Whether they share one.</returns>
    public bool Overlaps(GuestPhysicalRange other) => Start <= other.Last && other.Start <= Last;

    /// <inheritdoc/>
    public override string ToString() => $"[0x{Start.Value:x}..0x{Last.Value:x}]";
}
