// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>vm_track_dirty_pages and what goes with it, on the scripted backend.</summary>
public sealed class DirtyPageTests : EngineFixture
{
    [SetUp]
    public void MakeTrackingMachine()
    {
        Use(Options() with { Flags = CreateFlags.TrackDirty });
        Map(0, 200 * Page);
    }

    private FakeVm Vm => (FakeVm)Machine.BackendVm;

    [Test]
    public void VM_without_tracking_refuses_with_EPERM()
    {
        Use(Options("other"));
        FluentActions.Invoking(() => Machine.TrackDirtyPages(At(0), Page, new byte[1])).ShouldFail(VmmError.EPERM);
        FluentActions.Invoking(() => Machine.TrackDirtyPages(At(1), 0, [])).ShouldFail(VmmError.EPERM, "before anything else");
        FluentActions.Invoking(() => Machine.PeekDirtyPages(At(0), Page, new byte[1])).ShouldFail(VmmError.EPERM);
        FluentActions.Invoking(() => Machine.MarkDirtyPages(At(0), Page)).ShouldFail(VmmError.EPERM);
        Action take = () => Machine.TakeDirtyRuns([]);
        take.ShouldFail(VmmError.EPERM);
    }

    [TestCase(1ul, Page)]
    [TestCase(Page, Page - 1)]
    [TestCase(0ul, (1ul << 30) + Page)]
    [TestCase(0ul, 9 * Page)]
    [TestCase(0xffff_ffff_ffff_f000ul, 2 * Page)]
    public void Query_that_is_misaligned_or_too_long_is_refused(ulong address, ulong length) =>
        FluentActions.Invoking(() => Machine.TrackDirtyPages(At(address), length, new byte[1])).ShouldFail(VmmError.EINVAL);

    [Test]
    public void Query_of_no_bytes_does_nothing()
    {
        Vm.GuestWrites(0);
        Machine.TrackDirtyPages(At(0), 0, []);
        Dirty(0, 1).Should().Equal(0);
    }

    [Test]
    [Proves("vm_track_dirty_pages")]
    public void Page_that_the_guest_wrote_is_reported_once()
    {
        Vm.GuestWrites(3 * Page);
        Vm.GuestWrites(130 * Page);

        Dirty(0, 200).Should().Equal(3, 130);
        Dirty(0, 200).Should().BeEmpty();
        Vm.GuestWrites(3 * Page);
        Dirty(0, 200).Should().Equal(3);
    }

    [Test]
    public void Query_of_a_range_leaves_the_pages_beside_it_for_later()
    {
        Vm.GuestWrites(9 * Page);
        Vm.GuestWrites(10 * Page);
        Vm.GuestWrites(11 * Page);

        Dirty(10, 1).Should().Equal(10);

        Dirty(0, 200).Should().Equal(9, 11);
    }

    [Test]
    public void Bits_are_added_to_the_bitmap()
    {
        byte[] bitmap = [0x80];
        Vm.GuestWrites(2 * Page);
        Machine.TrackDirtyPages(At(0), 8 * Page, bitmap);
        bitmap.Should().Equal(0x84);
    }

    [Test]
    public void Peeking_forgets_nothing()
    {
        Vm.GuestWrites(5 * Page);
        byte[] bitmap = new byte[1];
        Machine.PeekDirtyPages(At(0), 8 * Page, bitmap);
        bitmap.Should().Equal(0x20);
        Dirty(0, 8).Should().Equal(5);
    }

    [Test]
    public void Page_whose_copy_failed_is_given_back()
    {
        Machine.MarkDirtyPages(At(198 * Page), 10 * Page);
        Dirty(190, 20).Should().Equal(198, 199);
    }

    [Test]
    public void Writes_by_the_host_are_reported()
    {
        Machine.Memory.TryWrite(At((2 * Page) - 1), [1, 2]).Should().BeTrue();
        Machine.Memory.TryCompareExchange(At(4 * Page), 0u, 1u, out _).Should().BeTrue();
        Machine.Memory.TryCompareExchange(At(6 * Page), 0ul, 1ul, out _).Should().BeTrue();
        Machine.Memory.TryRead(At(8 * Page), new byte[8]).Should().BeTrue();
        Dirty(0, 200).Should().Equal(1, 2, 4, 6);
    }

    [Test]
    public void Hold_for_writing_counts_until_it_ends()
    {
        Machine.Memory.TryHold(At(7 * Page), 8, MemoryProtection.ReadWrite, out GuestMemoryHold hold).Should().BeTrue();
        Dirty(0, 200).Should().Equal(7);
        hold.Bytes[0] = 1;
        hold.Dispose();
        Dirty(0, 200).Should().Equal(7);
        Machine.Memory.TryHold(At(7 * Page), 8, MemoryProtection.Read, out GuestMemoryHold reading).Should().BeTrue();
        reading.Dispose();
        Dirty(0, 200).Should().BeEmpty();
    }

    [Test]
    public void Copy_by_linear_address_is_reported()
    {
        Cpu.PlanCopy(
            new GuestPaging(0, 0, CpuMode.Protected, PagingMode.Flat), new(9 * Page), 16, MemoryProtection.Write, out IGuestCopyPlan? plan)
            .Should().Be(GuestCopyOutcome.Ready);
        Dirty(0, 200).Should().Equal(9);
        plan!.CopyOut(new byte[16]);
        Dirty(0, 200).Should().Equal(9);
        plan.Dispose();
        Dirty(0, 200).Should().Equal(9);
    }

    [Test]
    public void Page_table_that_a_walk_marks_is_reported()
    {
        // A 32-bit directory at page 20 whose first entry is a table at page 21, whose first entry is page 22.
        Machine.Memory.TryWrite(At(20 * Page), BitConverter.GetBytes((uint)(21 * Page) | 7)).Should().BeTrue();
        Machine.Memory.TryWrite(At(21 * Page), BitConverter.GetBytes((uint)(22 * Page) | 7)).Should().BeTrue();
        Dirty(0, 200).Should().Equal(20, 21);

        Cpu.PlanCopy(
            new GuestPaging(20 * Page, 0, CpuMode.Protected, PagingMode.Legacy32), new(0x10), 4, MemoryProtection.Read, out IGuestCopyPlan? plan)
            .Should().Be(GuestCopyOutcome.Ready);
        plan!.Dispose();

        Dirty(0, 200).Should().Equal([20, 21], "accessed bits were set there");
    }

    [Test]
    public void All_pages_come_as_runs()
    {
        Map(0x400000, 4 * Page, segment: 1);
        foreach (ulong page in (ulong[])[63, 64, 65, 100])
        {
            Vm.GuestWrites(page * Page);
        }

        Vm.GuestWrites(0x400000);
        List<GuestPhysicalRange> runs = [];

        Machine.TakeDirtyRuns(runs).Should().Be(5);

        runs.Should().Equal(
            GuestPhysicalRange.Create(At(63 * Page), 3 * Page),
            GuestPhysicalRange.Create(At(100 * Page), Page),
            GuestPhysicalRange.Create(At(0x400000), Page));
        Machine.TakeDirtyRuns(runs).Should().Be(0);
    }

    [Test]
    public void Query_reaches_across_mappings_and_gaps()
    {
        Map(0x400000, 4 * Page, segment: 1);
        Vm.GuestWrites(199 * Page);
        Vm.GuestWrites(0x402000);
        Dirty(199, 1024 - 199 + 4).Should().Equal(199, 1026);
    }

    [Test]
    public void Record_survives_a_reinitialization()
    {
        Vm.GuestWrites(3 * Page);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }

        Vm.GuestWrites(4 * Page);
        Dirty(0, 200).Should().Equal(3, 4);
    }

    [Test]
    public void Tracking_on_a_backend_that_keeps_no_record_is_ENOTSUP_from_the_beginning()
    {
        using FakeBackend backend = new() { Description = Backend.Description with { RecordsWrittenPages = false } };
        VirtualMachineFactory factory = new(backend);

        Action create = () => factory.Create(Options() with { Flags = CreateFlags.TrackDirty });

        create.ShouldFail(VmmError.ENOTSUP);

        backend.Machines.Should().BeEmpty();
        factory.Create(Options()).Dispose();
    }

    /// <summary>The numbers of the pages that a query reports.</summary>
    private List<int> Dirty(ulong firstPage, ulong pages)
    {
        byte[] bitmap = new byte[(pages + 7) / 8];
        Machine.TrackDirtyPages(At(firstPage * Page), pages * Page, bitmap);
        return [.. Enumerable.Range(0, (int)pages).Where(i => (bitmap[i / 8] & (1 << (i % 8))) != 0).Select(i => i + (int)firstPage)];
    }
}
