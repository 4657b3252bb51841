// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>The local interrupts of a local APIC, numbered as <see cref="LocalApic.SetLocalInterrupt"/> takes them.</summary>
internal enum LocalVector
{
    Lint0 = 0,
    Lint1 = 1,
    Timer = 2,
    Error = 3,
    Performance = 4,
    Thermal = 5,
    Cmci = 6,
}
