// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class InitramfsBuilderTests
{
    private const uint Folder = 0x41ed;
    private const uint Program = 0x81ed;

    [Test]
    public void Folders_on_the_way_come_before_what_they_hold()
    {
        InitramfsBuilder builder = new();

        builder.AddFile("/usr/lib/data", "abc"u8.ToArray());

        List<Entry> entries = Read(builder.ToArray());
        entries.Select(entry => entry.Name).Should().Equal("usr", "usr/lib", "usr/lib/data");
        entries.Take(2).Should().OnlyContain(entry => entry.Mode == Folder);
        entries[2].Mode.Should().Be(0x81a4);
        entries[2].Content.Should().Equal("abc"u8.ToArray());
    }

    [Test]
    public void Links_and_device_nodes_are_what_the_kernel_expects()
    {
        InitramfsBuilder builder = new();

        builder.AddLink("bin/sh", "busybox");
        builder.AddCharacterDevice("dev/ttyS0", 4, 64);

        List<Entry> entries = Read(builder.ToArray());
        Entry link = entries.Single(entry => entry.Name == "bin/sh");
        (link.Mode, Encoding.UTF8.GetString(link.Content)).Should().Be((0xa1ffu, "busybox"));
        Entry device = entries.Single(entry => entry.Name == "dev/ttyS0");
        (device.Mode, device.Major, device.Minor).Should().Be((0x21b6u, 4u, 64u));
    }

    [Test]
    public void The_same_content_gives_the_same_bytes_in_any_order()
    {
        InitramfsBuilder first = new();
        first.AddFile("a", "1"u8.ToArray());
        first.AddFolder("b");
        InitramfsBuilder second = new();
        second.AddFolder("b");
        second.AddFile("a", "1"u8.ToArray());

        first.ToArray().Should().Equal(second.ToArray());
    }

    [TestCase("")]
    [TestCase("/")]
    [TestCase("a//b")]
    [TestCase("a/../b")]
    public void What_is_no_path_is_refused(string path)
    {
        Action add = () => new InitramfsBuilder().AddFolder(path);

        add.Should().Throw<ArgumentException>();
    }

    [Test]
    public void A_path_is_one_thing_only()
    {
        InitramfsBuilder builder = new();
        builder.AddFile("a", default);

        Action second = () => builder.AddFile("a", default);
        Action below = () => builder.AddFile("a/b", default);

        second.Should().Throw<ArgumentException>().WithMessage("*'a' is there already*");
        below.Should().Throw<ArgumentException>();
    }

    [Test]
    public void Busybox_gets_init_links_and_a_script()
    {
        List<Entry> entries = Read(BusyboxInitramfs.Create(Elf(), ["sh", "ls", "busybox"], "echo hello").ToArray());

        entries.Single(entry => entry.Name == "init").Mode.Should().Be(Program);
        entries.Where(entry => entry.Name.StartsWith("bin/", StringComparison.Ordinal)).Select(entry => entry.Name)
            .Should().Equal("bin/busybox", "bin/ls", "bin/sh");
        Encoding.UTF8.GetString(entries.Single(entry => entry.Name == "script").Content)
            .Should().Be("#!/bin/busybox sh\necho hello");
    }

    [Test]
    public void A_program_that_is_none_is_refused()
    {
        Action create = () => BusyboxInitramfs.Create("#!/bin/sh"u8.ToArray(), []);

        create.Should().Throw<BootImageException>().Which.Kind.Should().Be(BootImageKind.Program);
    }

    [Test]
    public void A_dynamically_linked_program_is_refused_with_the_package_to_install()
    {
        Action create = () => BusyboxInitramfs.Create(Elf(interpreter: true), []);

        create.Should().Throw<BootImageException>().WithMessage("*dynamically linked*busybox-static*");
    }

    [Test]
    public void A_program_header_outside_the_file_is_refused()
    {
        byte[] program = Elf();
        BitConverter.TryWriteBytes(program.AsSpan(32), ulong.MaxValue - 8);

        Action create = () => BusyboxInitramfs.Create(program, []);

        create.Should().Throw<BootImageException>();
    }

    /// <summary>An ELF header with one program header.</summary>
    private static byte[] Elf(bool interpreter = false)
    {
        byte[] file = new byte[64 + 56];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(file);
        BitConverter.TryWriteBytes(file.AsSpan(18), (ushort)62);
        BitConverter.TryWriteBytes(file.AsSpan(32), 64UL);
        BitConverter.TryWriteBytes(file.AsSpan(56), (ushort)1);
        BitConverter.TryWriteBytes(file.AsSpan(64), interpreter ? 3u : 1u);
        return file;
    }

    private static List<Entry> Read(byte[] archive)
    {
        List<Entry> entries = [];
        int at = 0;
        while (true)
        {
            string header = Encoding.ASCII.GetString(archive, at, 110);
            header[..6].Should().Be("070701");
            uint[] fields = [.. Enumerable.Range(0, 13).Select(i => uint.Parse(header.AsSpan(6 + (i * 8), 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
            string name = Encoding.UTF8.GetString(archive, at + 110, (int)fields[11] - 1);
            int content = (at + 110 + (int)fields[11] + 3) & ~3;
            if (name == "TRAILER!!!")
            {
                return entries;
            }

            entries.Add(new Entry(name, fields[1], archive[content..(content + (int)fields[6])], fields[9], fields[10]));
            at = (content + (int)fields[6] + 3) & ~3;
        }
    }

    private sealed record Entry(string Name, uint Mode, byte[] Content, uint Major, uint Minor);
}
