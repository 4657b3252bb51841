// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>A register that could not be saved or restored.</summary>
/// <param name="Index">The register.</param>
/// <param name="Value">The value that was to be restored; 0 when saving.</param>
/// <param name="Reason">Why, as far as it is known.</param>
public readonly record struct MsrRefusal(MsrIndex Index, ulong Value, string Reason)
{
    /// <summary>Name, value and reason. Values that tell addresses of the guest are left out.</summary>
    /// <returns>A sentence without a full stop.</returns>
    public override string ToString()
    {
        bool isSecret = MsrRegistry.TryFind(Index, out MsrDescription description) && description.Sensitivity == MsrSensitivity.Guest;
        string name = description.Name is null ? $"0x{Index.Value:x}" : $"{description.Name} (0x{Index.Value:x})";
        return $"{name} = {(isSecret ? "(an address of the guest)" : $"0x{Value:x}")}: {Reason}";
    }
}
