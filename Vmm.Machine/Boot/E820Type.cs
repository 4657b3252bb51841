// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>What a range of the firmware memory map holds (ACPI specification, section 15.2, address range types).</summary>
public enum E820Type : uint
{
    /// <summary>Not a valid type in a map.</summary>
    None = 0,

    /// <summary>Memory the operating system may use.</summary>
    Ram = 1,

    /// <summary>Not to be used.</summary>
    Reserved = 2,

    /// <summary>ACPI tables; usable once they have been read.</summary>
    AcpiReclaimable = 3,

    /// <summary>ACPI non-volatile storage; to be kept over sleep.</summary>
    AcpiNvs = 4,

    /// <summary>Memory in which errors were found.</summary>
    Unusable = 5,

    /// <summary>Persistent memory.</summary>
    Persistent = 7,
}
