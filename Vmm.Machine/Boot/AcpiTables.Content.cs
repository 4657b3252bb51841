// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Machine.Boot;

/// <content>What the tables say.</content>
public static partial class AcpiTables
{
    private const byte FadtRevision = 6;
    private const int FadtSize = 276;
    private const byte MadtRevision = 3;
    private const byte DsdtRevision = 2;
    private const int FacsSize = 64;
    private const byte FacsVersion = 2;

    private const byte MemorySpace = 0;
    private const byte PortSpace = 1;
    private const byte CenturyByte = 0x32;

    // A latency above 100 us or 1000 us says that C2 or C3 does not exist (ACPI specification, FADT, P_LVL2_LAT).
    private const ushort NoSuchState = 0xfff;

    private const ushort LegacyDevices = 1 << 0;
    private const ushort Has8042 = 1 << 1;
    private const ushort NoVga = 1 << 2;
    private const ushort NoClock = 1 << 5;

    private const uint WriteBack = 1 << 0;
    private const uint HaltWorks = 1 << 2;
    private const uint NoPowerButton = 1 << 4;
    private const uint NoSleepButton = 1 << 5;
    private const uint NoClockWake = 1 << 6;
    private const uint WideTimer = 1 << 8;
    private const uint HasReset = 1 << 10;

    private const int FirstX2Apic = 255;
    private const byte AllProcessors = 0xff;
    private const uint HasLegacyControllers = 1;
    private const ushort ActiveHighLevel = 0x0d;
    private const uint HpetWindow = 0x400;

    private enum MadtEntry : byte
    {
        LocalApic = 0,
        IoApic = 1,
        SourceOverride = 2,
        LocalApicNmi = 4,
        LocalX2Apic = 9,
        LocalX2ApicNmi = 10,
    }

    private static byte[] Facs()
    {
        byte[] table = new byte[FacsSize];
        "FACS"u8.CopyTo(table);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(4), FacsSize);
        table[32] = FacsVersion;
        return table;
    }

    private static byte[] Fadt(AcpiOptions options, uint facs, uint dsdt)
    {
        byte[] table = new byte[FadtSize];
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(36), facs);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(40), dsdt);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(46), options.SystemControlInterrupt);

        // No SMI command port: the machine is in ACPI mode from the start.
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(56), options.EventPort);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(64), options.ControlPort);
        table[88] = 4;
        table[89] = 2;
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(96), NoSuchState);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(98), NoSuchState);
        table[108] = options.RealTimeClock ? CenturyByte : (byte)0;
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(109), BootFlags(options));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(112), FixedFeatures(options));
        if (options.ResetPort is { } reset)
        {
            WriteRegister(table.AsSpan(116), PortSpace, 8, 1, reset);
            table[128] = options.ResetValue;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(140), dsdt);
        WriteRegister(table.AsSpan(148), PortSpace, 32, 2, options.EventPort);
        WriteRegister(table.AsSpan(172), PortSpace, 16, 2, options.ControlPort);
        if (options.TimerPort is { } timer)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(76), timer);
            table[91] = 4;
            WriteRegister(table.AsSpan(208), PortSpace, 32, 3, timer);
        }

        return Table("FACP"u8, FadtRevision, table.AsSpan(HeaderSize));
    }

    private static ushort BootFlags(AcpiOptions options) => (ushort)(
        (options.SerialPort is not null ? LegacyDevices : 0) | (options.KeyboardController ? Has8042 : 0)
        | (options.Vga ? 0 : NoVga) | (options.RealTimeClock ? 0 : NoClock));

    private static uint FixedFeatures(AcpiOptions options) =>
        WriteBack | HaltWorks | NoPowerButton | NoSleepButton | NoClockWake
        | (options.NarrowTimer ? 0 : WideTimer) | (options.ResetPort is null ? 0 : HasReset);

    // A generic address structure (ACPI specification, 5.2.3.1). Access sizes: 1 byte, 2 word, 3 double word.
    private static void WriteRegister(Span<byte> register, byte space, byte bits, byte accessSize, ulong address)
    {
        register[0] = space;
        register[1] = bits;
        register[3] = accessSize;
        BinaryPrimitives.WriteUInt64LittleEndian(register[4..], address);
    }

    private static byte[] Madt(AcpiOptions options)
    {
        var content = new List<byte>();
        Add(content, (uint)options.LocalApic.Value);
        Add(content, HasLegacyControllers);
        for (uint id = 0; id < options.Processors; id++)
        {
            if (id < FirstX2Apic)
            {
                content.AddRange([(byte)MadtEntry.LocalApic, 8, (byte)id, (byte)id]);
                Add(content, 1);
            }
            else
            {
                content.AddRange([(byte)MadtEntry.LocalX2Apic, 16, 0, 0]);
                Add(content, id);
                Add(content, 1);
                Add(content, id);
            }
        }

        content.AddRange([(byte)MadtEntry.IoApic, 12, options.IoApicId, 0]);
        Add(content, (uint)options.IoApic.Value);
        Add(content, options.InterruptBase);
        if (options.TimerInterrupt != 0)
        {
            AddOverride(content, 0, options.TimerInterrupt, 0);
        }

        AddOverride(content, options.SystemControlInterrupt, options.InterruptBase + options.SystemControlInterrupt, ActiveHighLevel);
        content.AddRange([(byte)MadtEntry.LocalApicNmi, 6, AllProcessors, 0, 0, 1]);
        if (options.Processors > FirstX2Apic)
        {
            content.AddRange([(byte)MadtEntry.LocalX2ApicNmi, 12, 0, 0]);
            Add(content, uint.MaxValue);
            content.AddRange([1, 0, 0, 0]);
        }

        return Table("APIC"u8, MadtRevision, [.. content]);
    }

    private static void AddOverride(List<byte> content, byte interrupt, uint global, ushort flags)
    {
        content.AddRange([(byte)MadtEntry.SourceOverride, 10, 0, interrupt]);
        Add(content, global);
        content.AddRange([(byte)flags, (byte)(flags >> 8)]);
    }

    private static void Add(List<byte> content, uint value) =>
        content.AddRange([(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)]);

    private static byte[] Hpet(AcpiOptions options, uint address)
    {
        Span<byte> content = stackalloc byte[20];
        content.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(content, options.HpetIdentity);
        WriteRegister(content[4..], MemorySpace, 64, 0, address);
        return Table("HPET"u8, 1, content);
    }

    private static byte[] Dsdt(AcpiOptions options)
    {
        List<byte[]> devices = [];
        if (options.SerialPort is { } serial)
        {
            devices.Add(Aml.Device(
                "COM1",
                Aml.Name("_HID", Aml.EisaId("PNP0501")),
                Aml.Name("_UID", Aml.Byte(1)),
                Aml.Name("_CRS", Aml.Resources(Aml.Ports(serial, 8), Aml.Interrupt(4)))));
        }

        if (options.RealTimeClock)
        {
            devices.Add(Aml.Device(
                "RTC_",
                Aml.Name("_HID", Aml.EisaId("PNP0B00")),
                Aml.Name("_CRS", Aml.Resources(Aml.Ports(0x70, 2), Aml.Interrupt(8)))));
        }

        if (options.Hpet is { } hpet)
        {
            devices.Add(Aml.Device(
                "HPET",
                Aml.Name("_HID", Aml.EisaId("PNP0103")),
                Aml.Name("_CRS", Aml.Resources(Aml.Memory((uint)hpet.Value, HpetWindow)))));
        }

        byte[] type = Aml.Byte(options.PowerOffType);
        byte[] zero = Aml.Byte(0);
        return Table(
            "DSDT"u8, DsdtRevision, [.. Aml.Name("_S5_", Aml.Package(type, type, zero, zero)), .. Aml.Scope("_SB_", [.. devices])]);
    }
}
