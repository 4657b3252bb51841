// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>What an <see cref="Hpet"/> is built with; the defaults are bhyve's.</summary>
public sealed record HpetOptions
{
    /// <summary>Timers, 3 to 32.</summary>
    public int Timers { get; init; } = 8;

    /// <summary>Whether the main counter and the timers have 64 bits instead of 32.</summary>
    public bool Wide { get; init; }

    /// <summary>Whether timers 0 and 1 can take the lines of the 8254 and the real-time clock.</summary>
    public bool LegacyReplacement { get; init; }

    /// <summary>The I/O APIC inputs a timer may be routed to, a bit each; input 0 stands for none.</summary>
    public uint Routes { get; init; } = 0xff00_0000;
}
