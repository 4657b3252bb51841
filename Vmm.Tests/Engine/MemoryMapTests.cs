// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Segments and mappings: errors in the order in which they are looked for, and what stays alive.</summary>
public sealed class MemoryMapTests : EngineFixture
{
    private const ulong LastPage = 0x3fff_ffff_f000;

    private IVcpuFreeze _freeze = null!;

    private IMemoryMap Memory => Machine.MemoryMap;

    [SetUp]
    public void Freeze() => _freeze = Machine.FreezeVcpus();

    [TearDown]
    public void Thaw() => _freeze.Dispose();

    [TestCase(-1, Page)]
    [TestCase(5, Page)]
    [TestCase(0, 0ul)]
    [TestCase(0, Page - 1)]
    [TestCase(0, Page + 1)]
    public void Segment_with_a_bad_number_or_length_is_refused(int segment, ulong length) =>
        Allocating(segment, length).ShouldFail(VmmError.EINVAL);

    [Test]
    [Proves("vm_alloc_memseg")]
    public void Segment_in_use_is_EEXIST_when_equal_and_EINVAL_when_not()
    {
        Allocate(2, 4 * Page);

        Allocating(2, 4 * Page).ShouldFail(VmmError.EEXIST);
        Allocating(2, 8 * Page).ShouldFail(VmmError.EINVAL);
        Allocating(2, 4 * Page, isRam: false).ShouldFail(VmmError.EINVAL);
        Backend.Blocks.Should().ContainSingle("a refused segment allocates nothing");
    }

    [Test]
    public void Segment_that_the_host_has_no_memory_for_stays_free()
    {
        Backend.MemoryRefusal = new VmmException("mmap", VmmError.ENOMEM, "none");
        Allocating(0, Page).ShouldFail(VmmError.ENOMEM);
        Backend.MemoryRefusal = null;

        Allocating(0, 2 * Page).Should().NotThrow();
    }

    [Test]
    [Proves("vm_get_memseg")]
    public void Segment_is_zero_and_described()
    {
        Allocate(1, 2 * Page, isRam: false);

        MemorySegmentInfo info = Memory.GetSegment(new SegmentId(1));

        info.Length.Should().Be(2 * Page);
        info.IsSystemMemory.Should().BeFalse();
        info.Block!.GetSpan(0, (int)(2 * Page)).ContainsAnyExcept((byte)0).Should().BeFalse();
        Memory.GetSegment(new SegmentId(4)).Should().Be(default(MemorySegmentInfo), "a number not in use has length 0");
        Invoking(() => Memory.GetSegment(new SegmentId(5))).ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Freeing_a_segment_keeps_the_memory_under_a_live_mapping()
    {
        Allocate(0, Page);
        Memory.Map(_freeze, Mapping(0x1000, Page));
        Machine.Memory.TryWrite(At(0x1000), [42]).Should().BeTrue();

        Memory.FreeSegment(_freeze, new SegmentId(0));

        byte[] seen = new byte[1];
        Machine.Memory.TryRead(At(0x1000), seen).Should().BeTrue();
        seen[0].Should().Be(42);
        Backend.Blocks[0].Frees.Should().Be(0);
        Memory.Unmap(_freeze, At(0x1000), Page);
        Backend.Blocks[0].Frees.Should().Be(1);
    }

    [Test]
    [Proves("vm_free_memseg")]
    public void Freeing_a_segment_twice_does_nothing_and_a_bad_number_is_refused()
    {
        Allocate(0, Page);
        Memory.FreeSegment(_freeze, new SegmentId(0));

        Invoking(() => Memory.FreeSegment(_freeze, new SegmentId(0))).Should().NotThrow();
        Invoking(() => Memory.FreeSegment(_freeze, new SegmentId(5))).ShouldFail(VmmError.EINVAL);
        Allocating(0, 2 * Page, isRam: false).Should().NotThrow("the number is free again");
    }

    [TestCase(MemoryProtection.None)]
    [TestCase((MemoryProtection)16)]
    [TestCase((MemoryProtection)(-1))]
    public void Mapping_with_a_bad_protection_is_refused_first(MemoryProtection protection) =>
        Mapping_fails(Mapping(1, 0, -1, 1, protection, (MapFlags)2), VmmError.EINVAL, "protection");

    [Test]
    [Proves("vm_mmap_memseg")]
    public void Errors_of_a_mapping_come_in_the_documented_order()
    {
        Allocate(0, 4 * Page);
        Mapping_fails(Mapping(1, 0, -1, 1, flags: (MapFlags)2), VmmError.EINVAL, "flags");
        Mapping_fails(Mapping(1, 0, -1, 1), VmmError.EINVAL, "segment -1");
        Mapping_fails(Mapping(1, 0, 5, 1), VmmError.EINVAL, "segment 5");
        Mapping_fails(Mapping(1, 0, 1, 1), VmmError.EINVAL, "not allocated");
        Mapping_fails(Mapping(1, 0, 0, 1), VmmError.EINVAL, "not within");
        Mapping_fails(Mapping(1, 5 * Page, 0, 0), VmmError.EINVAL, "not within");
        Mapping_fails(Mapping(1, Page, 0, 4 * Page), VmmError.EINVAL, "not within");
        Mapping_fails(Mapping(1, Page, 0, ulong.MaxValue), VmmError.EINVAL, "not within");
        Mapping_fails(Mapping(1, ulong.MaxValue, 0, Page), VmmError.EINVAL, "not within");
        Mapping_fails(Mapping(1, Page), VmmError.EINVAL, "multiples of 4096");
        Mapping_fails(Mapping(0, Page, 0, 1), VmmError.EINVAL, "multiples of 4096");
        Mapping_fails(Mapping(0, Page + 1), VmmError.EINVAL, "multiples of 4096");
    }

    [Test]
    public void Mapping_beyond_the_address_space_is_EFAULT()
    {
        Allocate(0, 4 * Page);

        Mapping_fails(Mapping(LastPage, 2 * Page), VmmError.EFAULT, "beyond");
        Mapping_fails(Mapping(LastPage + Page, Page), VmmError.EFAULT, "beyond");
        Mapping_fails(Mapping(ulong.MaxValue - Page + 1, Page), VmmError.EFAULT, "beyond");
        Mapping_fails(Mapping(ulong.MaxValue - Page + 1, 2 * Page), VmmError.EFAULT, "beyond");
        Memory.Map(_freeze, Mapping(LastPage, Page));
        Memory.SystemMemoryEnd.Should().Be(At(LastPage + Page));
    }

    [TestCase(0x3000ul, 2ul, TestName = "Mapping_over_the_beginning_of_another_is_EFAULT")]
    [TestCase(0x5000ul, 2ul, TestName = "Mapping_over_the_end_of_another_is_EFAULT")]
    [TestCase(0x5000ul, 1ul, TestName = "Mapping_inside_of_another_is_EFAULT")]
    [TestCase(0x3000ul, 5ul, TestName = "Mapping_around_another_is_EFAULT")]
    [TestCase(0x4000ul, 3ul, TestName = "Mapping_of_the_same_range_is_EFAULT")]
    public void Overlap(ulong address, ulong pages)
    {
        Allocate(0, 8 * Page);
        Memory.Map(_freeze, Mapping(0x4000, 3 * Page));

        Mapping_fails(Mapping(address, pages * Page), VmmError.EFAULT, "overlaps");
        Memory.Map(_freeze, Mapping(0x7000, Page));
        Memory.Map(_freeze, Mapping(0x3000, Page));
    }

    [Test]
    public void Ninth_mapping_is_ENOSPC_before_it_is_EFAULT()
    {
        Allocate(0, Page);
        for (ulong i = 0; i < 8; i++)
        {
            Memory.Map(_freeze, Mapping(i * Page, Page));
        }

        Mapping_fails(Mapping(0, Page), VmmError.ENOSPC, "8");
        Mapping_fails(Mapping(0, Page, 1), VmmError.EINVAL, "not allocated");
        Memory.Unmap(_freeze, At(3 * Page), Page);
        Memory.Map(_freeze, Mapping(100 * Page, Page));
    }

    [Test]
    public void Wired_mapping_brings_exactly_its_pages_in()
    {
        Allocate(0, 4 * Page);

        Memory.Map(_freeze, Mapping(0, 2 * Page, 0, Page, flags: MapFlags.Wired));

        Backend.Blocks[0].Wired.Should().Equal((Page, 2 * Page));
        Memory.TryGetNext(At(0), out GuestMemoryMapping mapping).Should().BeTrue();
        mapping.Flags.Should().Be(MapFlags.Wired);
    }

    [Test]
    public void Failure_to_wire_is_EFAULT_and_leaves_no_mapping()
    {
        Allocate(0, Page);
        Backend.Blocks[0].RefuseWire = true;

        Mapping_fails(Mapping(0, Page, flags: MapFlags.Wired), VmmError.EFAULT, "mlock failed: ENOMEM");
        Memory.TryGetNext(At(0), out _).Should().BeFalse();
        Backend.Machines[0].Placements.Should().BeEmpty();
    }

    [Test]
    public void Refused_placement_leaves_no_mapping_and_no_reference()
    {
        Allocate(0, Page);
        Backend.Machines[0].PlacementRefusal = new VmmException("place", VmmError.ENOSPC, "no slot");

        Mapping_fails(Mapping(0, Page, flags: MapFlags.Wired), VmmError.EFAULT, "place failed: ENOSPC");
        Backend.Blocks[0].Wired.Should().BeEmpty("pages of no mapping are not kept in");
        Memory.IsAllocated(At(0)).Should().BeFalse();
        Memory.FreeSegment(_freeze, new SegmentId(0));
        Backend.Blocks[0].Frees.Should().Be(1);
    }

    [Test]
    public void Placement_says_what_the_guest_may_do()
    {
        Use(Options() with { Flags = CreateFlags.TrackDirty });
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Memory.AllocateSegment(freeze, new SegmentId(0), 4 * Page, true, new GuestMemoryOptions("ram", Wired: true));

        Memory.Map(freeze, Mapping(0x10000, 2 * Page, 0, Page));
        Memory.Map(freeze, Mapping(0x20000, Page, 0, 3 * Page, MemoryProtection.ReadExecute));

        FakeVm host = Backend.Machines[^1];
        host.Options.TrackDirty.Should().BeTrue();
        host.Placements.Select(placement => (placement.Range.Start.Value, placement.Offset, placement.ReadOnly))
            .Should().Equal((0x10000ul, Page, false), (0x20000ul, 3 * Page, true));
        host.Placements.Should().OnlyContain(placement => placement.TrackDirty);
        Backend.Blocks[^1].Options.Should().Be(new GuestMemoryOptions("ram", Wired: true));
    }

    [Test]
    [Proves("vm_munmap_memseg")]
    public void Unmap_wants_the_exact_mapping()
    {
        Allocate(0, 4 * Page);
        Memory.Map(_freeze, Mapping(0x1000, 2 * Page));

        Invoking(() => Memory.Unmap(_freeze, At(0x1000), Page)).ShouldFail(VmmError.EINVAL);
        Invoking(() => Memory.Unmap(_freeze, At(0x2000), Page)).ShouldFail(VmmError.EINVAL);
        Invoking(() => Memory.Unmap(_freeze, At(0x1000), 3 * Page)).ShouldFail(VmmError.EINVAL);
        Invoking(() => Memory.Unmap(_freeze, At(0), 0)).ShouldFail(VmmError.EINVAL, "an empty slot is not a mapping");
        Memory.Unmap(_freeze, At(0x1000), 2 * Page);
        Memory.IsAllocated(At(0x1000)).Should().BeFalse();
        Backend.Machines[0].Placements.Should().BeEmpty();
        Invoking(() => Memory.Unmap(_freeze, At(0x1000), 2 * Page)).ShouldFail(VmmError.EINVAL);
    }

    [Test]
    [Proves("vm_mem_allocated", "vm_map_mmio", "vm_unmap_mmio")]
    public void Device_memory_is_mapped_beside_the_segments_and_taken_away_by_its_range()
    {
        using GuestMemoryBlock device = Backend.AllocateMemory(2 * Page, new GuestMemoryOptions { Name = "device" });
        Action unaligned = () => Machine.MapMmio(_freeze, At(0x9001), device);
        unaligned.ShouldFail(VmmError.ENOMEM);
        Action beyond = () => Machine.MapMmio(_freeze, At(LastPage), device);
        beyond.ShouldFail(VmmError.ENOMEM);

        Machine.MapMmio(_freeze, At(0x9000), device);

        Machine.Memory.TryWrite(At(0xa000), [7]).Should().BeTrue();
        device.GetSpan(Page, 1)[0].Should().Be(7);
        Memory.IsAllocated(At(0xafff)).Should().BeTrue();
        Memory.TryGetNext(At(0), out _).Should().BeFalse("it is none of the VM's mappings");
        Memory.SystemMemoryEnd.Should().Be(At(0));
        Action twice = () => Machine.MapMmio(_freeze, At(0xa000), device);
        twice.ShouldFail(VmmError.ENOMEM);
        Action asSegment = () => Memory.Unmap(_freeze, At(0x9000), 2 * Page);
        asSegment.ShouldFail(VmmError.EINVAL);
        Action part = () => Machine.UnmapMmio(_freeze, At(0x9000), Page);
        part.ShouldFail(VmmError.ENOENT);
        Machine.UnmapMmio(_freeze, At(0x9000), 2 * Page);
        Memory.IsAllocated(At(0x9000)).Should().BeFalse();
        Action again = () => Machine.UnmapMmio(_freeze, At(0x9000), 2 * Page);
        again.ShouldFail(VmmError.ENOENT);
    }

    [Test]
    [Proves("vm_mmap_getnext")]
    public void Iteration_gives_the_mappings_by_address()
    {
        Allocate(0, 4 * Page);
        Memory.Map(_freeze, Mapping(0x8000, Page, 0, Page));
        Memory.Map(_freeze, Mapping(0x1000, 2 * Page));
        Memory.Map(_freeze, Mapping(LastPage, Page));
        List<ulong> seen = [];
        GuestPhysicalAddress from = At(0);
        while (Memory.TryGetNext(from, out GuestMemoryMapping mapping))
        {
            seen.Add(mapping.Address.Value);
            from = At(mapping.Address.Value + mapping.Length);
        }

        seen.Should().Equal(0x1000, 0x8000, LastPage);
        Memory.TryGetNext(At(0x1001), out GuestMemoryMapping next).Should().BeTrue();
        next.Should().Be(Mapping(0x8000, Page, 0, Page), "a mapping that begins below is not found");
    }

    [Test]
    [Proves("vmm_sysmem_maxaddr")]
    public void System_memory_ends_behind_the_highest_RAM_mapping()
    {
        Memory.SystemMemoryEnd.Should().Be(At(0));
        Allocate(0, 4 * Page);
        Allocate(1, Page, isRam: false);
        Memory.Map(_freeze, Mapping(0x8000, Page));
        Memory.Map(_freeze, Mapping(0x1000, Page));
        Memory.Map(_freeze, Mapping(0xf0000, Page, 1));

        Memory.SystemMemoryEnd.Should().Be(At(0x9000));
    }

    [Test]
    public void Changes_need_a_token_of_this_VM_that_is_still_held()
    {
        using IVcpuFreeze foreign = Create(Options("other")).FreezeVcpus();
        IVcpuFreeze released = Create(Options("third")).FreezeVcpus();
        released.Dispose();
        Allocate(0, Page);

        Invoking(() => Memory.Map(foreign, Mapping(0, Page))).Should().Throw<InvalidOperationException>();
        Invoking(() => Memory.FreeSegment(released, new SegmentId(0))).Should().Throw<InvalidOperationException>();
        Invoking(() => Memory.Unmap(null!, At(0), Page)).Should().Throw<ArgumentNullException>();
        _freeze.Dispose();
        Allocating(1, Page).Should().Throw<InvalidOperationException>();
    }

    [Test]
    public void Limits_are_the_options_of_the_VM()
    {
        Use(Options() with { MaxMemorySegments = 7, MaxMemoryMappings = 1 });
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Memory.AllocateSegment(freeze, new SegmentId(6), Page, true);
        Invoking(() => Memory.AllocateSegment(freeze, new SegmentId(7), Page, true)).ShouldFail(VmmError.EINVAL);
        Memory.Map(freeze, Mapping(0, Page, 6));
        Invoking(() => Memory.Map(freeze, Mapping(0x1000, Page, 6))).ShouldFail(VmmError.ENOSPC);
    }

    private static Action Invoking(Action action) => action;

    private void Allocate(int segment, ulong length, bool isRam = true) =>
        Memory.AllocateSegment(_freeze, new SegmentId(segment), length, isRam);

    private Action Allocating(int segment, ulong length, bool isRam = true) =>
        () => Allocate(segment, length, isRam);

    private void Mapping_fails(GuestMemoryMapping mapping, VmmError error, string about)
    {
        Action map = () => Memory.Map(_freeze, mapping);
        map.ShouldFail(error).Message.Should().Contain(about);
    }
}
