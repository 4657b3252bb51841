// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class FlatLoaderTests
{
    private const int MemorySize = 4 << 20;
    private static readonly PcMemoryLayout s_layout = new(MemorySize);
    private static readonly byte[] s_image = [0xf4, 0x90];

    private ArrayMemory _memory = new(0);

    [SetUp]
    public void CreateMemory() => _memory = new ArrayMemory(MemorySize);

    [TestCase(0x7c00ul, 0x0000, 0x7c00ul)]
    [TestCase(0xffff_0ul >> 4, 0x0000, 0xfffful)]
    [TestCase(0x2_0000ul, 0x2000, 0x0000ul)]
    [TestCase(0x2_0007ul, 0x2000, 0x0007ul)]
    public void Real_mode_enters_at_the_first_byte(ulong address, int selector, ulong ip)
    {
        BootState state = FlatLoader.LoadRealMode(_memory, s_layout, s_image, new(address));

        state.Cs.Selector.Should().Be((ushort)selector);
        state.Cs.Descriptor.Base.Should().Be((ulong)selector << 4);
        state.Cs.Descriptor.Limit.Should().Be(0xffff);
        state.Rip.Should().Be(ip);
        state.Cr0.Should().Be(0x10);
        state.Efer.Should().Be(0);
        state.Ss.Selector.Should().Be(0);
        _memory.At(address, 2).ToArray().Should().Equal(s_image);
    }

    [Test]
    public void Long_mode_enters_identity_mapped()
    {
        BootState state = FlatLoader.LoadLongMode(_memory, s_layout, s_image, new(0x10_0000));

        state.Rip.Should().Be(0x10_0000);
        state.Rsi.Should().Be(0);
        state.Cr3.Should().Be(BootAddresses.PageTables);
        state.Cs.Descriptor.Access.IsLong.Should().BeTrue();
        state.Tr.Descriptor.Access.Value.Should().Be(0x8b);
        state.Ldtr.Descriptor.Access.IsUnusable.Should().BeTrue();
    }

    [TestCase(0x9_fffful)]
    [TestCase(0x10_0000ul)]
    [TestCase(ulong.MaxValue)]
    public void Real_mode_refuses_what_is_not_base_memory(ulong address)
    {
        Action load = () => FlatLoader.LoadRealMode(_memory, s_layout, s_image, new GuestPhysicalAddress(address));

        load.Should().Throw<BootImageException>().Which.Kind.Should().Be(BootImageKind.Flat);
        _memory.Writes.Should().Be(0);
    }

    [TestCase(BootAddresses.Gdt)]
    [TestCase(BootAddresses.PageTables)]
    [TestCase(0x5ffful)]
    [TestCase(0xa_0000ul)]
    [TestCase(MemorySize - 1ul)]
    [TestCase(0x1_0000_0000ul)]
    [TestCase(ulong.MaxValue)]
    public void Long_mode_refuses_what_is_taken_or_no_ram(ulong address)
    {
        Action load = () => FlatLoader.LoadLongMode(_memory, s_layout, s_image, new GuestPhysicalAddress(address));

        load.Should().Throw<BootImageException>();
        _memory.Writes.Should().Be(0);
    }

    [Test]
    public void Empty_file_is_refused()
    {
        Action load = () => FlatLoader.LoadLongMode(_memory, s_layout, ReadOnlyMemory<byte>.Empty, new(0x10_0000));

        load.Should().Throw<BootImageException>().WithMessage("*empty*");
    }

    [Test]
    public void Memory_smaller_than_its_layout_is_the_callers_mistake()
    {
        Action load = () => FlatLoader.LoadRealMode(new ArrayMemory(0x1000), s_layout, s_image, new(0x7c00));

        load.Should().Throw<InvalidOperationException>();
    }
}
