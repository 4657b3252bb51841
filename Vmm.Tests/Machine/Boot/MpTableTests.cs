// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class MpTableTests
{
    private const int Pointer = 16;
    private const int Header = 44;

    [TestCase(1)]
    [TestCase(4)]
    [TestCase(254)]
    public void Tables_add_up_to_zero_and_tell_their_length(int processors)
    {
        byte[] bytes = MpTable.Build(new MpTableOptions { Processors = processors }, new(0xf_0000));

        Sum(bytes.AsSpan(0, Pointer)).Should().Be(0);
        Sum(bytes.AsSpan(Pointer)).Should().Be(0);
        BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4)).Should().Be(0xf_0010);
        BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(Pointer + 4)).Should().Be((ushort)(bytes.Length - Pointer));
        Types(bytes).Should().Equal(
            [.. Enumerable.Repeat((byte)0, processors), 1, 2, .. Enumerable.Repeat((byte)3, 15), 4, 4]);
    }

    [Test]
    public void Processors_are_numbered_and_the_first_boots()
    {
        byte[] bytes = MpTable.Build(new MpTableOptions { Processors = 2, Signature = 0x1234, Features = 0x5678 }, new(0xf_0000));

        bytes[(Pointer + Header)..(Pointer + Header + 12)].Should().Equal(0, 0, 0x14, 3, 0x34, 0x12, 0, 0, 0x78, 0x56, 0, 0);
        bytes[(Pointer + Header + 20)..(Pointer + Header + 24)].Should().Equal(0, 1, 0x14, 1);
    }

    [TestCase(0)]
    [TestCase(2)]
    public void Timer_is_wired_to_the_input_asked_for(byte input)
    {
        byte[] bytes = MpTable.Build(new MpTableOptions { TimerInput = input }, new(0xf_0000));
        int interrupts = Pointer + Header + 20 + 8 + 8;

        bytes[interrupts..(interrupts + 8)].Should().Equal(3, 0, 0, 0, 0, 0, 1, input);
        bytes[(interrupts + 8)..(interrupts + 16)].Should().Equal(3, 0, 0, 0, 0, 1, 1, 1);
        bytes[(interrupts + 16)..(interrupts + 24)].Should().Equal(3, 0, 0, 0, 0, 3, 1, 3);
    }

    [Test]
    public void Table_is_written_into_the_bios_area()
    {
        ArrayMemory memory = new(1 << 20);

        MpTable.Write(memory, new MpTableOptions());

        memory.At(0xf_0000, 4).SequenceEqual("_MP_"u8).Should().BeTrue();
        memory.At(0xf_0010, 4).SequenceEqual("PCMP"u8).Should().BeTrue();
    }

    [TestCase(0, 0xf_0000ul)]
    [TestCase(255, 0xf_0000ul)]
    [TestCase(1, 0xf_0008ul)]
    [TestCase(1, 0xf_fff0ul)]
    [TestCase(1, 0x1_0000_0000ul)]
    public void Impossible_table_is_refused(int processors, ulong address)
    {
        Action build = () => MpTable.Build(new MpTableOptions { Processors = processors }, new(address));

        build.Should().Throw<ArgumentException>();
    }

    [Test]
    public void Missing_memory_is_the_callers_mistake()
    {
        Action write = static () => MpTable.Write(new ArrayMemory(0x1000), new MpTableOptions());

        write.Should().Throw<InvalidOperationException>();
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return sum;
    }

    private static List<byte> Types(byte[] bytes)
    {
        List<byte> types = [];
        for (int offset = Pointer + Header; offset < bytes.Length; offset += bytes[offset] == 0 ? 20 : 8)
        {
            types.Add(bytes[offset]);
        }

        return types;
    }
}
