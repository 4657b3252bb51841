// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Where an event comes from; it decides on the gate's DPL check, the EXT bit and RF (volume 3, exception and interrupt handling).</summary>
public enum InterruptKind : byte
{
    /// <summary>An interrupt line or NMI.</summary>
    External,

    /// <summary>An exception that an instruction or the memory management raised.</summary>
    HardwareException,

    /// <summary>INT n.</summary>
    SoftwareInterrupt,

    /// <summary>INT3 or INTO.</summary>
    SoftwareException,

    /// <summary>INT1.</summary>
    PrivilegedException,
}
