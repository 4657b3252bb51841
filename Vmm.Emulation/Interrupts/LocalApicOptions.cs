// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>What distinguishes one local APIC from another.</summary>
public sealed record LocalApicOptions
{
    /// <summary>The timer's default rate in Hz before division: 128 times 2 to the 20th, as bhyve's.</summary>
    public const long DefaultTimerFrequency = 134_217_728;

    /// <summary>The x2APIC id; its low byte is the xAPIC id.</summary>
    public uint Id { get; init; }

    /// <summary>Whether it belongs to the bootstrap processor.</summary>
    public bool IsBootstrap { get; init; }

    /// <summary>The timer's rate in Hz before division, 1 to 1,000,000,000.</summary>
    public long TimerFrequency { get; init; } = DefaultTimerFrequency;

    /// <summary>The TSC's rate in Hz for the timer's TSC-deadline mode; zero: the mode does not exist.</summary>
    public long TscFrequency { get; init; }

    /// <summary>Whether the guest may suppress the broadcast of EOI to I/O APICs (SVR bit 12, version bit 24).</summary>
    public bool HasEoiBroadcastSuppression { get; init; }

    /// <summary>What the guest may change in IA32_APIC_BASE.</summary>
    public ApicBasePolicy BasePolicy { get; init; }

    /// <summary>How many bits physical addresses have, 32 to 52: bits above are reserved in IA32_APIC_BASE.</summary>
    public int PhysicalAddressBits { get; init; } = 52;
}
