// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine.Chips;

/// <summary>The interrupt controllers that the wires of a VM end at, between two initializations. Any thread.</summary>
internal interface ILineTarget
{
    /// <summary>
    /// Drives a global system interrupt: the 8259 pair's requests are the first 16, and request 0 is on pin 2 of the I/O APIC. Each wire
    /// counts once.
    /// </summary>
    void Drive(int line, bool asserted);
}
