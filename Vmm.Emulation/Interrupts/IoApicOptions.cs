// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>What distinguishes one I/O APIC from another.</summary>
public sealed record IoApicOptions
{
    /// <summary>How many pins it has, 1 to 240; 32 as bhyve's by default, 24 in the original part.</summary>
    public int PinCount { get; init; } = 32;

    /// <summary>
    /// Whether it is version 0x20 with an EOI register at offset 0x40; else version 0x11, which has none.
    /// </summary>
    public bool HasEoiRegister { get; init; }

    /// <summary>
    /// Told the pin whenever a level-triggered interrupt of it ends, so that a device whose line is held up for it can
    /// look at its source again; a pin that falls in this call does not send again. Called with no lock held, on the thread that ended the
    /// interrupt.
    /// </summary>
    public Action<int>? Ended { get; init; }

    /// <summary>
    /// Told the pin, and where its level-triggered interrupts go or null, whenever the guest changes the pin's entry: for a hypervisor
    /// that has the local APICs and must know whose ends to report. Called with no lock held, on the thread that writes.
    /// </summary>
    public Action<int, InterruptMessage?>? Routed { get; init; }
}
