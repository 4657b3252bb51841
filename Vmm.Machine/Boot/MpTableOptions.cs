// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>The machine that an <see cref="MpTable"/> describes.</summary>
public sealed record MpTableOptions
{
    /// <summary>Processors, 1 to <see cref="MpTable.MaximumProcessors"/>; APIC IDs count from zero, the first boots.</summary>
    public int Processors { get; init; } = 1;

    /// <summary>Where the local APICs are.</summary>
    public GuestPhysicalAddress LocalApic { get; init; } = new(0xfee0_0000);

    /// <summary>Where the I/O APIC is.</summary>
    public GuestPhysicalAddress IoApic { get; init; } = new(0xfec0_0000);

    /// <summary>
    /// The I/O APIC input that the timer (ISA interrupt 0) is wired to: 0 with KVM's default routing, 2 on most boards.
    /// </summary>
    public byte TimerInput { get; init; }

    /// <summary>Processor signature as CPUID leaf 1 gives it in EAX.</summary>
    public uint Signature { get; init; } = 0x600;

    /// <summary>Processor features as CPUID leaf 1 gives them in EDX; bit 0 FPU and bit 9 APIC by default.</summary>
    public uint Features { get; init; } = 0x201;
}
