// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Boot;

namespace Vmm.Tests.Machine.Boot;

public sealed class MemoryMapTests
{
    private const ulong GiB = 1ul << 30;

    [TestCase(512ul << 20, 512ul << 20, 0ul)]
    [TestCase(3 * GiB, 3 * GiB, 0ul)]
    [TestCase(8 * GiB, 3 * GiB, 5 * GiB)]
    public void Memory_that_does_not_fit_below_the_hole_goes_above_4_GiB(ulong size, ulong low, ulong high)
    {
        PcMemoryLayout layout = new(size);

        layout.LowRamEnd.Should().Be(low);
        layout.HighRamSize.Should().Be(high);
    }

    [TestCase(0x0ul, 0xa_0000ul, true)]
    [TestCase(0x0ul, 0xa_0001ul, false)]
    [TestCase(0xa_0000ul, 1ul, false)]
    [TestCase(0x10_0000ul, 1ul, true)]
    [TestCase(3 * GiB - 1, 1ul, true)]
    [TestCase(3 * GiB - 1, 2ul, false)]
    [TestCase(4 * GiB, GiB, true)]
    [TestCase(4 * GiB, GiB + 1, false)]
    [TestCase(ulong.MaxValue, 2ul, false)]
    public void Ram_is_told_from_holes(ulong address, ulong length, bool expected) =>
        new PcMemoryLayout(4 * GiB).IsRam(new(address), length).Should().Be(expected);

    [TestCase(0x10_0000ul, PcMemoryLayout.DefaultHoleBase)]
    [TestCase(0x20_0001ul, PcMemoryLayout.DefaultHoleBase)]
    [TestCase(1ul << 46, PcMemoryLayout.DefaultHoleBase)]
    [TestCase(0x20_0000ul, 0xff00_0000ul)]
    [TestCase(0x20_0000ul, 0xd000_1000ul)]
    public void Impossible_layout_is_refused(ulong size, ulong hole)
    {
        Action create = () => _ = new PcMemoryLayout(size, hole);

        create.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Machine_with_high_memory_lists_it()
    {
        E820Map map = new PcMemoryLayout(8 * GiB, 0xd000_0000).CreateE820();

        map.Entries.Should().Contain(new E820Entry(new(0x10_0000), 0xd000_0000 - 0x10_0000, E820Type.Ram));
        map.Entries[^1].Should().Be(new E820Entry(new(4 * GiB), 8 * GiB - 0xd000_0000, E820Type.Ram));
    }

    [Test]
    public void Later_range_replaces_what_it_covers_and_neighbours_merge()
    {
        E820Map map = new();
        map.Set(new(0), 100, E820Type.Ram);
        map.Set(new(40), 20, E820Type.Reserved);
        map.Entries.Should().Equal(
            new E820Entry(new(0), 40, E820Type.Ram),
            new E820Entry(new(40), 20, E820Type.Reserved),
            new E820Entry(new(60), 40, E820Type.Ram));

        map.Set(new(40), 20, E820Type.Ram);
        map.Entries.Should().Equal(new E820Entry(new(0), 100, E820Type.Ram));
    }

    [Test]
    public void Range_may_end_at_the_last_address()
    {
        E820Map map = new();
        map.Set(new(ulong.MaxValue), 1, E820Type.Reserved);
        map.Set(new(0), 1, E820Type.Ram);

        map.Entries.Should().HaveCount(2);
        map.Covers(new(ulong.MaxValue), 1, E820Type.Reserved).Should().BeTrue();
        map.Covers(new(ulong.MaxValue), 2, E820Type.Reserved).Should().BeFalse();
    }

    [TestCase(0ul, 0ul)]
    [TestCase(2ul, ulong.MaxValue)]
    public void Impossible_range_is_refused(ulong address, ulong length)
    {
        Action set = () => new E820Map().Set(new(address), length, E820Type.Ram);

        set.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Clone_is_independent()
    {
        E820Map map = new();
        map.Set(new(0), 1, E820Type.Ram);

        map.Clone().Set(new(5), 1, E820Type.Ram);

        map.Entries.Should().HaveCount(1);
    }

    [Test]
    public void Map_of_more_ranges_than_boot_params_holds_is_the_callers_mistake()
    {
        E820Map map = new();
        for (ulong index = 0; index <= E820Map.MaximumBootEntries; index++)
        {
            map.Set(new(index * 2), 1, E820Type.Ram);
        }

        Action set = () => new BootParameters().SetMemoryMap(map);

        set.Should().Throw<ArgumentException>();
    }
}
