// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Msr;

/// <summary>What is known about a model-specific register.</summary>
/// <param name="Number">The index.</param>
/// <param name="Name">Its name in Intel's manual, else in AMD's or Linux'.</param>
/// <param name="Layer">Who answers for it.</param>
/// <param name="Rule">What it accepts.</param>
/// <param name="Reset">Its value after reset.</param>
/// <param name="Writable">The bits that can be written.</param>
/// <param name="Save">When it is restored.</param>
/// <param name="Sensitivity">What its value tells.</param>
/// <param name="Features">The features of which any brings it along, separated by blanks; empty when it is always there.</param>
/// <param name="Vendor">Whose processors have it; unknown for all.</param>
public readonly record struct MsrDescription(
    uint Number,
    string Name,
    MsrLayer Layer,
    MsrRule Rule,
    ulong Reset = 0,
    ulong Writable = ulong.MaxValue,
    MsrSaveOrder Save = MsrSaveOrder.Plain,
    MsrSensitivity Sensitivity = MsrSensitivity.None,
    string Features = "",
    CpuVendor Vendor = CpuVendor.Unknown)
{
    /// <summary>The index.</summary>
    public MsrIndex Index => new(Number);
}
