// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.State;

/// <summary>The classes of device and processor state (<c>VDC_*</c>).</summary>
public enum VmmDataClass : ushort
{
    /// <summary>No class.</summary>
    None = 0,

    /// <summary>The list of classes and versions.</summary>
    Version = 1,

    /// <summary>Registers. A number only.</summary>
    Register = 2,

    /// <summary>MSRs of a vCPU.</summary>
    Msr = 3,

    /// <summary>FPU. A number only.</summary>
    Fpu = 4,

    /// <summary>The local APIC of a vCPU.</summary>
    LocalApic = 5,

    /// <summary>Time of the VM; of a vCPU the events that wait.</summary>
    VmmArch = 6,

    /// <summary>The I/O APIC.</summary>
    IoApic = 7,

    /// <summary>The 8254.</summary>
    AtPit = 8,

    /// <summary>The 8259 pair.</summary>
    AtPic = 9,

    /// <summary>The HPET.</summary>
    Hpet = 10,

    /// <summary>The power-management timer.</summary>
    PmTimer = 11,

    /// <summary>The real-time clock.</summary>
    Rtc = 12,
}
