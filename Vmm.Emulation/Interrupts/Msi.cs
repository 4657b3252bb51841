// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>Message-signalled interrupts (SDM volume 3, "Message Signalled Interrupts").</summary>
public static class Msi
{
    private const ulong WindowMask = ~0xfffffUL;
    private const ulong Window = 0xfee00000;
    private const int Logical = 1 << 2;

    /// <summary>Reads a device's write as an interrupt message. Always edge-triggered; the redirection hint is ignored.</summary>
    /// <param name="address">The address written.</param>
    /// <param name="data">The data written.</param>
    /// <param name="extendedDestination">
    /// Whether address bits 5 to 11 are bits 8 to 14 of the destination, as hypervisors agreed on for more than 255 processors.
    /// </param>
    /// <param name="message">The message.</param>
    /// <returns>False: the address is not that of interrupt messages.</returns>
    public static bool TryDecode(ulong address, uint data, bool extendedDestination, out InterruptMessage message)
    {
        message = default;
        if ((address & WindowMask) != Window)
        {
            return false;
        }

        uint low = (uint)(address >> 12) & 0xff;
        uint high = extendedDestination ? (uint)(address >> 5) & 0x7f : 0;
        message = Create(low, high, (address & Logical) != 0, (DeliveryMode)((data >> 8) & 7), (byte)data);
        return true;
    }

    /// <summary>Makes the address and data that stand for a message with a destination of 8 bits.</summary>
    /// <param name="message">The message.</param>
    /// <returns>What a device would write, and where.</returns>
    public static (ulong Address, uint Data) Encode(in InterruptMessage message)
    {
        const uint Asserted = 1 << 14;
        const uint Level = 1 << 15;
        ulong address = Window | ((ulong)(message.Destination & 0xff) << 12) | (message.IsLogical ? (ulong)Logical : 0);
        uint data = message.Vector | ((uint)message.Mode << 8) | Asserted | (message.IsLevel ? Level : 0);
        return (address, data);
    }

    /// <summary>Makes a message of a destination in two parts: wide only when the upper part is used.</summary>
    internal static InterruptMessage Create(uint low, uint high, bool logical, DeliveryMode mode, byte vector) =>
        new(low | (high << 8), mode, vector, logical, IsLevel: false, IsWide: high != 0);
}
