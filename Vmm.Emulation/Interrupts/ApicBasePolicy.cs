// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>What a guest may change in IA32_APIC_BASE; the rest is <c>#GP</c>.</summary>
public enum ApicBasePolicy
{
    /// <summary>Modes, in the architecture's order (disabled, xAPIC, x2APIC, disabled); not the address.</summary>
    ModeChanges = 0,

    /// <summary>The enable bit only, as bhyve's kernel does: the host chooses x2APIC before the processor runs.</summary>
    EnableOnly = 1,

    /// <summary>Everything the architecture allows: modes, the address, the bootstrap flag.</summary>
    Architectural = 2,
}
