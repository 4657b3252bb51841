// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Devices;

/// <summary>A register of which a device wants to know only that the guest wrote it.</summary>
/// <param name="Bus">Where it is.</param>
/// <param name="Address">The guest-physical address, or the port.</param>
/// <param name="Length">The width of the writes that count: 1, 2, 4, in memory also 8; 0 for every width.</param>
/// <param name="Value">The value that counts; every value when null. Not with length 0.</param>
public readonly record struct Doorbell(BusKind Bus, ulong Address, int Length, ulong? Value = null)
{
    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Bus == BusKind.Port ? "port" : "address")} 0x{Address:x}, "
        + $"{(Length == 0 ? "any width" : $"{Length} bytes")}{(Value is { } value ? $", value 0x{value:x}" : "")}";
}
