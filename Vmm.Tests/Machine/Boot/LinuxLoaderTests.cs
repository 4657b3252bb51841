// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Text;
using Vmm.Abstractions.Addressing;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class LinuxLoaderTests
{
    private const int MemorySize = 32 << 20;
    private static readonly PcMemoryLayout s_layout = new(MemorySize);

    private ArrayMemory _memory = new(0);

    [SetUp]
    public void CreateMemory() => _memory = new ArrayMemory(MemorySize);

    [TestCase("sample.gz", PayloadFormat.Gzip)]
    [TestCase("sample.bz2", PayloadFormat.Bzip2)]
    [TestCase("sample.lzma", PayloadFormat.Lzma)]
    [TestCase("sample-x86-crc32.xz", PayloadFormat.Xz)]
    [TestCase("sample-crc64.xz", PayloadFormat.Xz)]
    [TestCase("sample-blocks-sha256.xz", PayloadFormat.Xz)]
    [TestCase("sample.lz4", PayloadFormat.Lz4)]
    [TestCase("sample.zst", PayloadFormat.Zstd)]
    [TestCase("sample.elf", PayloadFormat.Elf)]
    public void Payload_of_a_bzImage_is_unpacked_by_the_host(string file, PayloadFormat format)
    {
        LinuxBootResult result = Load(KernelImages.BzImage(KernelImages.Payload(file)));

        result.Entry.Should().Be(KernelEntry.UnpackedByHost);
        result.Format.Should().Be(format);
        result.State.Rip.Should().Be(KernelImages.SampleEntry);
        result.KernelVersion.Should().Be("6.1.0-sample");
        _memory.At(KernelImages.SampleBase, 4096).SequenceEqual(KernelImages.Sample.AsSpan(176, 4096)).Should().BeTrue();
    }

    [Test]
    public void Vmlinux_is_placed_by_physical_address_and_its_tail_zeroed()
    {
        _memory.Bytes.AsSpan().Fill(0xcc);

        LinuxBootResult result = Load(KernelImages.Sample);

        result.Entry.Should().Be(KernelEntry.Elf);
        _memory.At(KernelImages.SampleData, 256).ToArray().Should().Equal(Enumerable.Range(0, 256).Select(static value => (byte)value));
        _memory.At(KernelImages.SampleData + 530, 0x3000).IndexOfAnyExcept((byte)0).Should().Be(-1);
        _memory.Bytes[KernelImages.SampleData + 530 + 0x3000].Should().Be(0xcc);
    }

    [Test]
    public void Boot_processor_enters_as_the_64_bit_protocol_demands()
    {
        BootState state = Load(KernelImages.Sample).State;

        state.Rsi.Should().Be(BootAddresses.BootParameters);
        (state.Rflags & 0x200).Should().Be(0, "interrupts are off");
        state.Cr0.Should().Be(0x8000_0031);
        state.Cr4.Should().Be(0x20);
        state.Efer.Should().Be(0x500);
        state.Cs.Should().Be(new BootSegment(0x10, new(0, uint.MaxValue, new(0xa09b))));
        state.Ds.Should().Be(new BootSegment(0x18, new(0, uint.MaxValue, new(0xc093))));
        state.Ss.Should().Be(state.Ds);
        state.Es.Should().Be(state.Ds);
        state.Gdtr.Limit.Should().Be(31);
    }

    [Test]
    public void Descriptor_table_holds_boot_cs_and_boot_ds()
    {
        Load(KernelImages.Sample);

        Read64(BootAddresses.Gdt).Should().Be(0);
        Read64(BootAddresses.Gdt + 0x10).Should().Be(0x00af_9b00_0000_ffff);
        Read64(BootAddresses.Gdt + 0x18).Should().Be(0x00cf_9300_0000_ffff);
    }

    [TestCase(0x0ul)]
    [TestCase(0x7123ul)]
    [TestCase(0x100_0010ul)]
    [TestCase(0xffff_fffful)]
    public void Page_tables_map_the_first_four_gigabytes_to_themselves(ulong address)
    {
        BootState state = Load(KernelImages.Sample).State;

        ulong pointers = Read64(state.Cr3 + ((address >> 39) * 8)) & ~0xffful;
        ulong directory = Read64(pointers + (((address >> 30) & 511) * 8)) & ~0xffful;
        ulong entry = Read64(directory + (((address >> 21) & 511) * 8));
        (entry & 0xfff).Should().Be(0x83, "present, writable, 2 MiB");
        ((entry & ~0x1f_fffful) | (address & 0x1f_ffff)).Should().Be(address);
    }

    [Test]
    public void Boot_parameters_carry_the_setup_header_and_what_the_loader_adds()
    {
        byte[] initrd = [1, 2, 3];
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));

        LinuxBootResult result = LinuxLoader.Load(_memory, s_layout, new LinuxBootOptions
        {
            Kernel = image,
            Initrd = initrd,
            CommandLine = "console=ttyS0",
            AcpiRsdp = new GuestPhysicalAddress(0xe_0000),
        });

        ReadOnlySpan<byte> page = _memory.At(BootAddresses.BootParameters, 4096);
        page[0x1f1..0x210].SequenceEqual(image.AsSpan(0x1f1..0x210)).Should().BeTrue();
        page[0x210].Should().Be(0xff);
        page[0x211].Should().Be(1);
        page[0x1ef].Should().Be(0, "the sentinel tells the kernel that the page was cleared");
        BinaryPrimitives.ReadUInt64LittleEndian(page[0x70..]).Should().Be(0xe_0000);
        BinaryPrimitives.ReadUInt32LittleEndian(page[0x228..]).Should().Be((uint)BootAddresses.CommandLine);
        Encoding.ASCII.GetString(_memory.At(BootAddresses.CommandLine, 14)).Should().Be("console=ttyS0\0");
        result.Initrd.Should().Be(new GuestPhysicalAddress(MemorySize - 4096));
        BinaryPrimitives.ReadUInt32LittleEndian(page[0x218..]).Should().Be(MemorySize - 4096);
        BinaryPrimitives.ReadUInt32LittleEndian(page[0x21c..]).Should().Be(3);
        _memory.At(MemorySize - 4096, 3).ToArray().Should().Equal(initrd);
    }

    [Test]
    public void Memory_map_in_boot_parameters_is_typed()
    {
        Load(KernelImages.Sample);

        ReadOnlySpan<byte> page = _memory.At(BootAddresses.BootParameters, 4096);
        page[0x1e8].Should().Be(5);
        (ulong, ulong, uint)[] entries = [Entry(page, 0), Entry(page, 1), Entry(page, 2), Entry(page, 3), Entry(page, 4)];
        entries.Should().Equal(
            (0ul, 0x9_fc00ul, 1u),
            (0x9_fc00ul, 0x400ul, 2u),
            (0xf_0000ul, 0x1_0000ul, 2u),
            (0x10_0000ul, MemorySize - 0x10_0000ul, 1u),
            (0xfec0_0000ul, 0x140_0000ul, 2u));
    }

    [Test]
    public void Kernel_without_setup_header_gets_one_whose_version_is_not_zero()
    {
        Load(KernelImages.Sample);

        ReadOnlySpan<byte> page = _memory.At(BootAddresses.BootParameters, 4096);
        page[0x202..0x206].SequenceEqual("HdrS"u8).Should().BeTrue();
        BinaryPrimitives.ReadUInt16LittleEndian(page[0x206..]).Should().Be(0x020f);
    }

    [Test]
    public void Unknown_payload_falls_back_to_the_guests_own_unpacker()
    {
        byte[] lzo = [0x89, 0x4c, 0x5a, 0x4f, .. new byte[100]];

        LinuxBootResult result = Load(KernelImages.BzImage(lzo));

        result.Entry.Should().Be(KernelEntry.GuestUnpacker);
        result.Remark.Should().Contain("does not know");
        result.State.Rip.Should().Be(KernelImages.SampleBase + 0x200);
        _memory.At(KernelImages.SampleBase + KernelImages.PayloadOffset, 4).ToArray().Should().Equal(0x89, 0x4c, 0x5a, 0x4f);
    }

    [Test]
    public void Relocatable_unpacker_moves_down_when_its_preferred_address_has_no_room()
    {
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));
        PcMemoryLayout layout = new(8 << 20);

        LinuxBootResult result = LinuxLoader.Load(
            new ArrayMemory(8 << 20), layout, new LinuxBootOptions { Kernel = image, Unpacking = KernelUnpacking.Guest });

        result.State.Rip.Should().Be(0x20_0000 + 0x200);
        result.Remark.Should().Contain("as asked");
    }

    [Test]
    public void Unpacker_without_64_bit_entry_is_refused()
    {
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));
        image[0x236] = 0;

        BootImageException error = Refusal(() => LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = image, Unpacking = KernelUnpacking.Guest }));

        error.Field.Should().Be("xloadflags");
        error.Offset.Should().Be(0x236);
    }

    [Test]
    public void Host_unpacking_of_an_unknown_format_is_refused()
    {
        byte[] image = KernelImages.BzImage([0x89, 0x4c, .. new byte[100]]);

        BootImageException error = Refusal(() => LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = image, Unpacking = KernelUnpacking.Host }));

        error.Kind.Should().Be(BootImageKind.Payload);
        error.Remedy.Should().Be("Let the guest unpack it");
    }

    [Test]
    public void Unsupported_branch_filter_is_refused_by_number()
    {
        BootImageException error = Refusal(() => Load(KernelImages.BzImage(KernelImages.Payload("sample-delta.xz"))));

        error.Problem.Should().Contain("filter 0x3");
    }

    [Test]
    public void Initrd_goes_below_what_the_board_has_reserved()
    {
        E820Map map = s_layout.CreateE820();
        map.Set(new(MemorySize - 0x1_0000), 0x1_0000, E820Type.AcpiReclaimable);

        LinuxBootResult result = LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = KernelImages.Sample, Initrd = new byte[5000], MemoryMap = map });

        result.Initrd.Should().Be(new GuestPhysicalAddress(MemorySize - 0x1_0000 - 0x2000));
    }

    [Test]
    public void Initrd_stays_below_the_highest_address_the_kernel_takes()
    {
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(0x22c), 0x15f_ffff);

        LinuxBootResult result = LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = image, Initrd = new byte[4096] });

        result.Initrd.Should().Be(new GuestPhysicalAddress(0x15f_f000));
    }

    [Test]
    public void Initrd_without_room_is_refused()
    {
        BootImageException error = Refusal(() => LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = KernelImages.Sample, Initrd = new byte[14 << 20] }));

        error.Kind.Should().Be(BootImageKind.Initrd);
        error.Remedy.Should().Be("Give the machine more memory");
    }

    [Test]
    public void Command_line_longer_than_the_kernel_takes_is_refused()
    {
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));

        BootImageException error = Refusal(() => LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = image, CommandLine = new string('x', 256) }));

        error.Kind.Should().Be(BootImageKind.CommandLine);
        error.Offset.Should().Be(255);
    }

    [Test]
    public void Command_line_with_a_zero_byte_is_refused()
    {
        BootImageException error = Refusal(() => LinuxLoader.Load(
            _memory, s_layout, new LinuxBootOptions { Kernel = KernelImages.Sample, CommandLine = "a\0b" }));

        error.Offset.Should().Be(1);
    }

    [TestCase(0x1fe, 0x00, "boot_flag")]
    [TestCase(0x207, 0x01, "version")]
    [TestCase(0x201, 0x10, "jump")]
    [TestCase(0x211, 0x00, "loadflags")]
    [TestCase(0x1f1, 0xff, "setup_sects")]
    [TestCase(0x1f6, 0xff, "syssize")]
    [TestCase(0x24a, 0xff, "payload_offset")]
    [TestCase(0x24e, 0xff, "payload_length")]
    public void Mangled_setup_header_is_refused_by_field(int offset, byte value, string field)
    {
        byte[] image = KernelImages.BzImage(KernelImages.Payload("sample.gz"));
        image[offset] = value;

        BootImageException error = Refusal(() => Load(image));

        error.Kind.Should().Be(BootImageKind.BzImage);
        error.Field.Should().Be(field);
        _memory.Writes.Should().Be(0);
    }

    [TestCase(4, 1, "e_ident[EI_CLASS]")]
    [TestCase(5, 2, "e_ident[EI_DATA]")]
    [TestCase(0x10, 1, "e_type")]
    [TestCase(0x12, 3, "e_machine")]
    [TestCase(0x1f, 0x7f, "e_entry")]
    [TestCase(0x22, 0xff, "e_phoff")]
    [TestCase(0x36, 0x20, "e_phentsize")]
    [TestCase(0x38, 0, "e_phnum")]
    [TestCase(0x40 + 0x22, 0xff, "p_filesz")]
    [TestCase(0x40 + 0x29, 0x01, "p_memsz")]
    [TestCase(0x40 + 0x2c, 0x01, "PT_LOAD")]
    [TestCase(0x78 + 0x1a, 0x00, "PT_LOAD")]
    [TestCase(0x78 + 0x1b, 0x7f, "PT_LOAD")]
    public void Mangled_elf_is_refused_by_field(int offset, byte value, string field)
    {
        byte[] image = KernelImages.Sample;
        image[offset] = value;

        BootImageException error = Refusal(() => Load(image));

        error.Kind.Should().Be(BootImageKind.Elf);
        error.Field.Should().Be(field);
        _memory.Writes.Should().Be(0);
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(-1)]
    public void Wrong_declared_size_is_refused(int declared)
    {
        byte[] payload = KernelImages.Payload("sample.lz4");
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(payload.Length - 4), declared);

        BootImageException error = Refusal(() => Load(KernelImages.BzImage(payload)));

        error.Kind.Should().Be(BootImageKind.Payload);
        _memory.Writes.Should().Be(0);
    }

    [Test]
    public void File_that_is_no_kernel_is_refused_as_such()
    {
        BootImageException error = Refusal(() => Load("not a kernel"u8.ToArray()));

        error.Kind.Should().Be(BootImageKind.Unknown);
        error.Message.Should().Contain("neither an ELF file nor a bzImage");
    }

    [Test]
    public void Machine_too_small_for_the_kernel_is_refused()
    {
        BootImageException error = Refusal(() => LinuxLoader.Load(
            new ArrayMemory(16 << 20), new PcMemoryLayout(16 << 20), new LinuxBootOptions { Kernel = KernelImages.Sample }));

        error.Remedy.Should().StartWith("Give the machine more memory");
    }

    private static (ulong Base, ulong Length, uint Type) Entry(ReadOnlySpan<byte> page, int index)
    {
        ReadOnlySpan<byte> entry = page[(0x2d0 + (index * 20))..];
        return (
            BinaryPrimitives.ReadUInt64LittleEndian(entry),
            BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]));
    }

    private static BootImageException Refusal(Action action) => action.Should().ThrowExactly<BootImageException>().Which;

    private LinuxBootResult Load(byte[] kernel) => LinuxLoader.Load(_memory, s_layout, new LinuxBootOptions { Kernel = kernel });

    private ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(_memory.At(address, 8));
}
