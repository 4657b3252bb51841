// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of a local APIC. Register fields have the form that the guest sees.</summary>
public sealed record LocalApicState
{
    /// <summary>The version of this record that <see cref="LocalApic.Save"/> writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of this record.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The x2APIC id.</summary>
    public uint Id { get; init; }

    /// <summary>IA32_APIC_BASE.</summary>
    public ulong ApicBase { get; init; }

    /// <summary>The task priority.</summary>
    public byte TaskPriority { get; init; }

    /// <summary>The logical destination register of xAPIC mode.</summary>
    public uint LogicalDestination { get; init; }

    /// <summary>The destination format register of xAPIC mode.</summary>
    public uint DestinationFormat { get; init; }

    /// <summary>The spurious-interrupt vector register.</summary>
    public uint SpuriousVector { get; init; }

    /// <summary>Vectors in service.</summary>
    public VectorBits InService { get; init; }

    /// <summary>Vectors that came level-triggered.</summary>
    public VectorBits TriggerMode { get; init; }

    /// <summary>Vectors requested.</summary>
    public VectorBits Requests { get; init; }

    /// <summary>The error status register.</summary>
    public uint ErrorStatus { get; init; }

    /// <summary>Errors since the guest last wrote the error status register.</summary>
    public uint PendingErrors { get; init; }

    /// <summary>The interrupt command register, the destination in the upper half as the mode has it.</summary>
    public ulong InterruptCommand { get; init; }

    /// <summary>The local vector of pin 0.</summary>
    public uint LvtLint0 { get; init; }

    /// <summary>The local vector of pin 1.</summary>
    public uint LvtLint1 { get; init; }

    /// <summary>The local vector of the timer.</summary>
    public uint LvtTimer { get; init; }

    /// <summary>The local vector of errors.</summary>
    public uint LvtError { get; init; }

    /// <summary>The local vector of performance counters.</summary>
    public uint LvtPerformance { get; init; }

    /// <summary>The local vector of the thermal sensor.</summary>
    public uint LvtThermal { get; init; }

    /// <summary>The local vector of corrected machine checks.</summary>
    public uint LvtCmci { get; init; }

    /// <summary>The timer's initial count.</summary>
    public uint InitialCount { get; init; }

    /// <summary>The timer's divide configuration.</summary>
    public uint DivideConfiguration { get; init; }

    /// <summary>When the timer expires, in whole virtual nanoseconds; zero: it does not run.</summary>
    public long TimerExpiry { get; init; }

    /// <summary>What is to be added to the expiry, in units of 1/frequency ns, less than one nanosecond.</summary>
    public ulong TimerExpiryRemainder { get; init; }

    /// <summary>IA32_TSC_DEADLINE.</summary>
    public ulong TscDeadline { get; init; }

    /// <summary>What the guest's TSC has at virtual time zero.</summary>
    public long TscOffset { get; init; }

    /// <summary>Whether a message brought an external interrupt that was not taken yet.</summary>
    public bool ExternalPending { get; init; }
}
