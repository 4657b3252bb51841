// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.State;

/// <summary>A class of state that can be transferred, in one version (<c>vmm_data_version_entry_t</c>).</summary>
/// <param name="DataClass">The class.</param>
/// <param name="Version">The version.</param>
/// <param name="ExpectedLength">Its whole length in bytes when that is fixed, else 0.</param>
/// <param name="ItemLength">The length of one element when it is an array, else 0.</param>
[VmmKernelSymbol("vmm_data_version_entry")]
[VmmKernelSymbol("vmm_data_version_entry_t")]
public readonly record struct VmmDataVersionEntry(
    [property: VmmKernelSymbol("vmm_data_version_entry.vdve_class")] VmmDataClass DataClass,
    [property: VmmKernelSymbol("vmm_data_version_entry.vdve_version")] ushort Version,
    [property: VmmKernelSymbol("vmm_data_version_entry.vdve_len_expect")] ushort ExpectedLength,
    [property: VmmKernelSymbol("vmm_data_version_entry.vdve_len_per_item")] ushort ItemLength)
{
    /// <summary>The classes that exist, all in version 1.</summary>
    [VmmKernelSymbol("VMM_DATA_VERSION")]
    public static IReadOnlyList<VmmDataVersionEntry> All { get; } =
    [
        new(VmmDataClass.Version, 1, 0, 8),
        new(VmmDataClass.Msr, 1, 0, 16),
        new(VmmDataClass.LocalApic, 1, 200, 0),
        new(VmmDataClass.VmmArch, 1, 0, 16),
        new(VmmDataClass.IoApic, 1, 392, 0),
        new(VmmDataClass.AtPit, 1, 72, 0),
        new(VmmDataClass.AtPic, 1, 80, 0),
        new(VmmDataClass.Hpet, 1, 288, 0),
        new(VmmDataClass.PmTimer, 1, 16, 0),
        new(VmmDataClass.Rtc, 1, 160, 0),
    ];
}
