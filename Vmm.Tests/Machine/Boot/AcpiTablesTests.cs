// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Text;
using Vmm.Abstractions.Addressing;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

[TestFixture]
internal sealed class AcpiTablesTests
{
    private const ulong Base = AcpiTables.DefaultAddress;

    [Test]
    public void The_root_pointer_comes_first_and_both_its_parts_add_up()
    {
        byte[] bytes = Build(new());

        Encoding.ASCII.GetString(bytes, 0, 8).Should().Be("RSD PTR ");
        Sum(bytes[..20]).Should().Be(0);
        Sum(bytes[..36]).Should().Be(0);
        bytes[15].Should().Be(2);
        BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(20)).Should().Be(36);
    }

    [TestCase(1, "FACP APIC HPET")]
    [TestCase(300, "FACP APIC HPET")]
    public void Every_table_is_found_from_the_root_and_adds_up(int processors, string expected)
    {
        byte[] bytes = Build(new() { Processors = processors });
        List<byte[]> tables = Tables(bytes);

        string.Join(' ', tables.Select(Signature)).Should().Be(expected);
        tables.Append(Dsdt(bytes)).Select(Sum).Should().AllBeEquivalentTo((byte)0);
    }

    [Test]
    public void Without_an_hpet_there_is_no_table_and_no_device_of_it()
    {
        byte[] bytes = Build(new() { Hpet = null });

        Tables(bytes).Select(Signature).Should().Equal("FACP", "APIC");
        Encoding.ASCII.GetString(Dsdt(bytes)).Should().NotContain("HPET");
    }

    [Test]
    public void The_fixed_description_names_ports_and_flags()
    {
        byte[] table = Find(Build(new()), "FACP");

        table.Length.Should().Be(276);
        table[8].Should().Be(6);
        BinaryPrimitives.ReadUInt16LittleEndian(table.AsSpan(46)).Should().Be(9);
        BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(56)).Should().Be(0x600);
        BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(64)).Should().Be(0x604);
        BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(76)).Should().Be(0x608);
        table[108].Should().Be(0x32);
        BinaryPrimitives.ReadUInt16LittleEndian(table.AsSpan(109)).Should().Be(0x05, "legacy devices, no 8042, no VGA");
        BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(112)).Should().Be(0x575);
        table[116..129].Should().Equal(1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6);
        table[208..220].Should().Equal(1, 32, 0, 3, 0x08, 0x06, 0, 0, 0, 0, 0, 0);
    }

    [Test]
    public void The_firmware_control_structure_is_aligned_to_64()
    {
        byte[] bytes = AcpiTables.Build(new(), new(0xe_0010));
        uint facs = BinaryPrimitives.ReadUInt32LittleEndian(Find(bytes, "FACP", 0xe_0010).AsSpan(36));

        (facs % 64).Should().Be(0);
        Encoding.ASCII.GetString(bytes, (int)(facs - 0xe_0010), 4).Should().Be("FACS");
    }

    [Test]
    public void Processors_are_local_apics_and_from_255_on_x2apics()
    {
        List<byte[]> entries = Entries(Find(Build(new() { Processors = 257 }), "APIC"));

        entries.Count(entry => entry[0] == 0).Should().Be(255);
        entries.Where(entry => entry[0] == 9).Select(entry => BinaryPrimitives.ReadUInt32LittleEndian(entry.AsSpan(4))).Should().Equal(255, 256);
        entries.Should().ContainSingle(entry => entry[0] == 10);
    }

    [Test]
    public void Interrupts_are_wired_as_on_a_pc()
    {
        List<byte[]> entries = Entries(Find(Build(new() { IoApicId = 3 }), "APIC"));

        entries.Single(entry => entry[0] == 1).Should().Equal(1, 12, 3, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0);
        entries.Where(entry => entry[0] == 2).Should().BeEquivalentTo(
            [new byte[] { 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 }, new byte[] { 2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0 }],
            options => options.WithStrictOrdering());
        entries.Single(entry => entry[0] == 4).Should().Equal(4, 6, 0xff, 0, 0, 1);
    }

    [Test]
    public void A_timer_on_its_own_input_needs_no_override() =>
        Entries(Find(Build(new() { TimerInterrupt = 0 }), "APIC")).Where(entry => entry[0] == 2).Should().ContainSingle();

    [Test]
    public void The_devices_are_spelled_in_machine_language()
    {
        byte[] code = Dsdt(Build(new() { Hpet = null, RealTimeClock = false, PowerOffType = 5 }))[36..];

        code.Should().Equal(
            0x08, 0x5f, 0x53, 0x35, 0x5f,             // Name (_S5_,
            0x12, 0x0a, 4, 0x0a, 5, 0x0a, 5, 0x0a, 0, 0x0a, 0, // Package {5, 5, 0, 0})
            0x10, 0x33, 0x5f, 0x53, 0x42, 0x5f,       // Scope (_SB_)
            0x5b, 0x82, 0x2c, 0x43, 0x4f, 0x4d, 0x31, // Device (COM1)
            0x08, 0x5f, 0x48, 0x49, 0x44, 0x0c, 0x41, 0xd0, 5, 1, // Name (_HID, EisaId ("PNP0501"))
            0x08, 0x5f, 0x55, 0x49, 0x44, 0x0a, 1,    // Name (_UID, 1)
            0x08, 0x5f, 0x43, 0x52, 0x53, 0x11, 0x10, 0x0a, 13, // Name (_CRS, Buffer
            0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8,          // IO (Decode16, 0x3f8, 0x3f8, 1, 8)
            0x22, 0x10, 0,                            // IRQNoFlags {4}
            0x79, 0);
    }

    [TestCase(0)]
    [TestCase(AcpiTables.MaximumProcessors + 1)]
    public void A_number_of_processors_out_of_range_is_refused(int processors)
    {
        Action build = () => Build(new() { Processors = processors });

        build.Should().Throw<ArgumentException>();
    }

    [TestCase(0xe_0008UL)]
    [TestCase(0x1_0000_0000UL)]
    [TestCase(0xffff_fff0UL)]
    public void An_address_that_cannot_be_is_refused(ulong address)
    {
        Action build = () => AcpiTables.Build(new(), new(address));

        build.Should().Throw<ArgumentException>();
    }

    [Test]
    public void Writing_returns_where_the_root_pointer_is()
    {
        var memory = new ArrayMemory(0x10_0000);
        GuestPhysicalAddress root = AcpiTables.Write(memory, new());
        byte[] pointer = new byte[8];
        memory.TryRead(root, pointer).Should().BeTrue();

        root.Value.Should().Be(Base);
        Encoding.ASCII.GetString(pointer).Should().Be("RSD PTR ");
    }

    private static byte[] Build(AcpiOptions options) => AcpiTables.Build(options, new(Base));

    private static byte Sum(byte[] bytes) => (byte)bytes.Sum(value => value);

    private static string Signature(byte[] table) => Encoding.ASCII.GetString(table, 0, 4);

    private static byte[] TableAt(byte[] bytes, ulong address, ulong start)
    {
        int offset = (int)(address - start);
        return bytes[offset..(offset + (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset + 4)))];
    }

    private static List<byte[]> Tables(byte[] bytes, ulong start = Base)
    {
        byte[] root = TableAt(bytes, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(24)), start);
        Signature(root).Should().Be("XSDT");
        Sum(root).Should().Be(0);
        return [.. Enumerable.Range(0, (root.Length - 36) / 8)
            .Select(index => TableAt(bytes, BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(36 + (index * 8))), start))];
    }

    private static byte[] Find(byte[] bytes, string signature, ulong start = Base) =>
        Tables(bytes, start).Single(table => Signature(table) == signature);

    private static byte[] Dsdt(byte[] bytes) =>
        TableAt(bytes, BinaryPrimitives.ReadUInt64LittleEndian(Find(bytes, "FACP").AsSpan(140)), Base);

    private static List<byte[]> Entries(byte[] madt)
    {
        var entries = new List<byte[]>();
        for (int offset = 44; offset < madt.Length; offset += madt[offset + 1])
        {
            entries.Add(madt[offset..(offset + madt[offset + 1])]);
        }

        return entries;
    }
}
