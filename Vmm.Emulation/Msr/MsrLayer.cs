// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>Who answers for a register, in the order in which an access asks them.</summary>
public enum MsrLayer
{
    /// <summary>A chip: the local APIC.</summary>
    Chip = 0,

    /// <summary>The hypervisor, and where there is none the processor that this engine emulates.</summary>
    Hypervisor,

    /// <summary>This engine's own store (<see cref="MsrFile"/>).</summary>
    Ours,

    /// <summary>Nobody has it; the policy for such registers answers, from what is known about the register.</summary>
    Policy,
}
