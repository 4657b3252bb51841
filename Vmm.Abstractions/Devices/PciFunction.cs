// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Devices;

/// <summary>A function of a PCI device of the host.</summary>
/// <param name="Bus">The bus.</param>
/// <param name="Slot">The slot, 0 to 31.</param>
/// <param name="Function">The function, 0 to 7.</param>
public readonly record struct PciFunction(byte Bus, byte Slot, byte Function)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Bus:x2}:{Slot:x2}.{Function}";
}
