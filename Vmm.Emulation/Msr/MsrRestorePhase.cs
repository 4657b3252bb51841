// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>The two parts of restoring registers, between which the local APIC's state is restored. CPUID comes before both.</summary>
public enum MsrRestorePhase
{
    /// <summary>All but what the local APIC's state would undo.</summary>
    BeforeLocalApic = 0,

    /// <summary>The deadline of its timer.</summary>
    AfterLocalApic,
}
