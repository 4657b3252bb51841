// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>The mode of a local APIC, from IA32_APIC_BASE.</summary>
public enum ApicMode
{
    /// <summary>Disabled: the processor behaves as if it had none.</summary>
    Disabled = 0,

    /// <summary>Registers in memory, 8-bit ids.</summary>
    XApic = 1,

    /// <summary>Registers in MSRs, 32-bit ids.</summary>
    X2Apic = 2,
}
