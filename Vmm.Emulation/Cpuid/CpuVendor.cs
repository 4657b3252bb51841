// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>Who made a processor, as far as CPUID's rules differ.</summary>
public enum CpuVendor
{
    /// <summary>Somebody else.</summary>
    Unknown = 0,

    /// <summary>GenuineIntel.</summary>
    Intel,

    /// <summary>AuthenticAMD and HygonGenuine, which follows AMD's manuals.</summary>
    Amd,
}
