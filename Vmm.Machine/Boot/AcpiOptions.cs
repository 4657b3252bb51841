// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>The machine that <see cref="AcpiTables"/> describe. What is null does not exist.</summary>
public sealed record AcpiOptions
{
    /// <summary>
    /// Processors, 1 to <see cref="AcpiTables.MaximumProcessors"/>; APIC IDs count from zero. From number 255 on they are
    /// described as x2APICs.
    /// </summary>
    public int Processors { get; init; } = 1;

    /// <summary>Where the local APICs are; below 4 GiB.</summary>
    public GuestPhysicalAddress LocalApic { get; init; } = new(0xfee0_0000);

    /// <summary>Where the I/O APIC is; below 4 GiB.</summary>
    public GuestPhysicalAddress IoApic { get; init; } = new(0xfec0_0000);

    /// <summary>The I/O APIC's ID.</summary>
    public byte IoApicId { get; init; }

    /// <summary>The global system interrupt of the I/O APIC's first input.</summary>
    public uint InterruptBase { get; init; }

    /// <summary>The global system interrupt that the timer (ISA interrupt 0) is wired to: 2 on most boards.</summary>
    public byte TimerInterrupt { get; init; } = 2;

    /// <summary>The system control interrupt, an ISA interrupt: level-triggered, active high.</summary>
    public byte SystemControlInterrupt { get; init; } = 9;

    /// <summary>The first of the four ports of the PM1 event block: status and enable.</summary>
    public ushort EventPort { get; init; } = 0x600;

    /// <summary>The first of the two ports of the PM1 control block.</summary>
    public ushort ControlPort { get; init; } = 0x604;

    /// <summary>The value of SLP_TYP that turns the power off, 0 to 7.</summary>
    public byte PowerOffType { get; init; } = 5;

    /// <summary>The first of the four ports of the power-management timer.</summary>
    public ushort? TimerPort { get; init; } = 0x608;

    /// <summary>Whether that timer has 24 bits instead of 32.</summary>
    public bool NarrowTimer { get; init; }

    /// <summary>The reset register.</summary>
    public ushort? ResetPort { get; init; } = 0xcf9;

    /// <summary>The byte that resets the machine when it is written there.</summary>
    public byte ResetValue { get; init; } = 6;

    /// <summary>Where the HPET's registers are; below 4 GiB.</summary>
    public GuestPhysicalAddress? Hpet { get; init; } = new(0xfed0_0000);

    /// <summary>The HPET's identity: the low half of its capabilities register.</summary>
    public uint HpetIdentity { get; init; } = 0x8086_0701;

    /// <summary>Whether there is a real-time clock at ports 70h and 71h with its century in byte 32h.</summary>
    public bool RealTimeClock { get; init; } = true;

    /// <summary>The first port of the serial port with interrupt 4.</summary>
    public ushort? SerialPort { get; init; } = 0x3f8;

    /// <summary>Whether there is a keyboard controller, a whole 8042.</summary>
    public bool KeyboardController { get; init; }

    /// <summary>Whether there is a VGA display.</summary>
    public bool Vga { get; init; }
}
