// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>Whether a vCPU's local APIC starts in x2APIC mode (<c>x2apic_state</c>).</summary>
public enum X2ApicState
{
    /// <summary>xAPIC mode.</summary>
    Disabled = 0,

    /// <summary>x2APIC mode.</summary>
    Enabled = 1,
}
