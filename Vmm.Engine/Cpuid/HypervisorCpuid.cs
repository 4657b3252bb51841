// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Engine.Cpuid;

/// <summary>The processor that a hypervisor can give, asked leaf by leaf.</summary>
internal static class HypervisorCpuid
{
    /// <summary>Makes the source. A leaf out of range answers like the last standard one on Intel's processors, and zeros on others.</summary>
    /// <param name="supported">The entries that the hypervisor can give, in any order.</param>
    public static ICpuidSource Create(ImmutableArray<CpuidEntry> supported)
    {
        CpuDefinition definition = new(supported.AsSpan());
        ImmutableArray<CpuidEntry> entries = definition.Entries;
        CpuidFlags flags = definition.Vendor == CpuVendor.Intel ? CpuidFlags.IntelFallback : CpuidFlags.None;
        return new CpuidLookup(CpuidConfiguration.Create(
            flags, entries.AsSpan()[..Math.Min(entries.Length, CpuidConfiguration.MaxEntries)]));
    }
}
