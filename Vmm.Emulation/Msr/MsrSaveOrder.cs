// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>
/// When a register is restored, relative to others. Before all of them come the leaves of CPUID, which decide what a register
/// accepts; between <see cref="Last"/> and <see cref="AfterApic"/> comes the local APIC.
/// </summary>
public enum MsrSaveOrder
{
    /// <summary>In no particular place.</summary>
    Plain = 0,

    /// <summary>The time stamp counter itself: before everything that is measured by it.</summary>
    Time = -3,

    /// <summary>After the counter.</summary>
    AfterTime = -2,

    /// <summary>Before the plain ones: what decides which of them exist or what they accept.</summary>
    First = -1,

    /// <summary>After the plain ones: what starts something.</summary>
    Last = 1,

    /// <summary>With the local APIC's own state; restored just before it.</summary>
    Apic = 2,

    /// <summary>After the local APIC's state, which would disarm it.</summary>
    AfterApic = 3,

    /// <summary>Never: it holds no state, or another part saves it.</summary>
    Never = 4,
}
