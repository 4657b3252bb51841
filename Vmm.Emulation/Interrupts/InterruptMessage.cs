// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>A message on the interrupt bus: from an I/O APIC, a device (MSI) or a processor.</summary>
/// <param name="Destination">The destination, in the width that <paramref name="IsWide"/> says.</param>
/// <param name="Mode">What the target shall do.</param>
/// <param name="Vector">The vector.</param>
/// <param name="IsLogical">Whether the destination is compared with logical ids instead of physical ones.</param>
/// <param name="IsLevel">Whether the target sends an end of interrupt back.</param>
/// <param name="IsWide">
/// Whether the destination has 32 bits, as a processor in x2APIC mode and extended messages have it; else 8 bits.
/// The value of all ones in its width means every processor.
/// </param>
public readonly record struct InterruptMessage(
    uint Destination,
    DeliveryMode Mode,
    byte Vector,
    bool IsLogical = false,
    bool IsLevel = false,
    bool IsWide = false)
{
    /// <summary>Whether every processor is meant.</summary>
    public bool IsBroadcast => Destination == (IsWide ? uint.MaxValue : byte.MaxValue);
}
