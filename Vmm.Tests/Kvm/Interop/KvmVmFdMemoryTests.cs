// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Memory slots, dirty logs, coalesced writes and private memory.</summary>
[TestFixture]
public sealed class KvmVmFdMemoryTests : KvmFixture
{
    private const ulong SecondSlot = 0x20000;
    private const ulong Page = LibC.PageSize;

    // mov byte [0x10], 0x5a; hlt
    private static readonly byte[] s_store = [0xc6, 0x06, 0x10, 0x00, 0x5a, 0xf4];

    [Test]
    public void Write_to_a_read_only_slot_leaves_the_guest_and_reaches_no_memory()
    {
        KvmRequirement.Require(System, KvmCapability.ReadonlyMem);
        using MemoryMapping rom = MemoryMapping.Create(Page);
        Vm.SetUserMemoryRegion(1, KvmMemoryRegionFlags.Readonly, SecondSlot, rom, 0, Page);
        LoadStore();

        Run().Should().Be(KvmExitReason.Mmio);

        KvmRunMmio access = Vcpu.Page.Run.Mmio;
        access.PhysAddr.Should().Be(SecondSlot + 0x10);
        access.IsWrite.Should().Be(1);
        access.Len.Should().Be(1);
        access.Data[0].Should().Be(0x5a);
        rom.Slice(0x10, 1)[0].Should().Be(0);
    }

    [Test]
    public void Dirty_log_names_the_written_page_once()
    {
        using MemoryMapping ram = MemoryMapping.Create(2 * Page);
        Vm.SetUserMemoryRegion(1, KvmMemoryRegionFlags.LogDirtyPages, SecondSlot, ram, 0, 2 * Page);
        byte[] bitmap = new byte[Vm.DirtyBitmapLength(1)];
        LoadStore();

        Run().Should().Be(KvmExitReason.Hlt);
        Vm.GetDirtyLog(1, bitmap);
        byte first = bitmap[0];
        Vm.GetDirtyLog(1, bitmap);

        first.Should().Be(0b01);
        bitmap[0].Should().Be(0);
        ram.Slice(0x10, 1)[0].Should().Be(0x5a);
    }

    [Test]
    public void Manually_protected_page_stays_dirty_until_it_is_cleared()
    {
        KvmRequirement.Require(System, KvmCapability.ManualDirtyLogProtect2);
        Vm.EnableManualDirtyLogProtect(KvmDirtyLogFlags.ManualProtectEnable);
        using MemoryMapping ram = MemoryMapping.Create(64 * Page);
        Vm.SetUserMemoryRegion(1, KvmMemoryRegionFlags.LogDirtyPages, SecondSlot, ram, 0, 64 * Page);
        byte[] bitmap = new byte[Vm.DirtyBitmapLength(1)];
        LoadStore();
        Run().Should().Be(KvmExitReason.Hlt);

        Vm.GetDirtyLog(1, bitmap);
        Vm.GetDirtyLog(1, bitmap);
        byte before = bitmap[0];
        Vm.ClearDirtyLog(1, 0, 64, bitmap);
        Vm.GetDirtyLog(1, bitmap);

        before.Should().Be(0b01);
        bitmap[0].Should().Be(0);
    }

    [Test]
    public void Dirty_bitmap_that_is_too_short_never_reaches_the_kernel()
    {
        FluentActions.Invoking(() => Vm.GetDirtyLog(0, new byte[7])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vm.GetDirtyLog(77, new byte[8])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vm.ClearDirtyLog(0, 0, 65, new byte[15])).Should().Throw<ArgumentException>();
    }

    [Test]
    public void Overlapping_slot_is_refused_by_the_kernel()
    {
        Action overlap = () => Vm.SetUserMemoryRegion(1, KvmMemoryRegionFlags.None, Page, Memory, 0, Page);

        VmmException refusal = overlap.Should().Throw<VmmException>().Which;
        refusal.Error.Should().Be(VmmError.EEXIST);
        refusal.Operation.Should().Be("KVM_SET_USER_MEMORY_REGION");
    }

    [TestCase(0x10000UL, 0x1000UL)]
    [TestCase(0x1000UL, 0x10000UL)]
    [TestCase(0xffff_ffff_ffff_f000UL, 0x2000UL)]
    public void Slot_outside_the_mapping_never_reaches_the_kernel(ulong offset, ulong length)
    {
        Action place = () => Vm.SetUserMemoryRegion(1, KvmMemoryRegionFlags.None, SecondSlot, Memory, offset, length);

        place.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Slot_keeps_a_disposed_mapping_until_it_is_deleted()
    {
        Load(0xf4);
        Memory.Dispose();

        Run().Should().Be(KvmExitReason.Hlt);
        Vm.DeleteMemoryRegion(0);

        FluentActions.Invoking(() => Vm.DirtyBitmapLength(0)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Memory.Slice(0, 1)).Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void Addresses_of_tss_and_identity_map_are_taken_before_the_first_vcpu()
    {
        using KvmVmFd empty = System.CreateVm();

        FluentActions.Invoking(() => empty.SetTssAddr(0xfffb_d000)).Should().NotThrow();
        FluentActions.Invoking(() => empty.SetIdentityMapAddr(0xfffb_c000)).Should().NotThrow();
        FluentActions.Invoking(() => Vm.SetIdentityMapAddr(0xfffb_c000))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Shadow_pages_are_bounded_from_below()
    {
        FluentActions.Invoking(() => Vm.SetNrMmuPages(1024)).Should().NotThrow();
        FluentActions.Invoking(() => Vm.SetNrMmuPages(1))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Coalesced_write_stays_in_the_ring_until_it_is_taken()
    {
        int page = Vm.CheckExtension(KvmCapability.CoalescedMmio);
        Vm.RegisterCoalescedMmio(new KvmCoalescedMmioZone { Addr = SecondSlot, Size = 0x1000 });
        LoadStore();
        CoalescedRing ring = Vcpu.Page.CoalescedRing(page);

        Run().Should().Be(KvmExitReason.Hlt);
        bool taken = ring.TryTake(out KvmCoalescedMmio write);

        taken.Should().BeTrue();
        write.PhysAddr.Should().Be(SecondSlot + 0x10);
        write.Len.Should().Be(1);
        write.Data[0].Should().Be(0x5a);
        ring.TryTake(out _).Should().BeFalse();
        Vm.UnregisterCoalescedMmio(new KvmCoalescedMmioZone { Addr = SecondSlot, Size = 0x1000 });
    }

    [Test]
    public void Coalesced_port_write_or_refused_by_name()
    {
        KvmCoalescedMmioZone zone = new() { Addr = 0x80, Size = 1, Pio = 1 };

        HostRefusal.Unless(Vm, KvmCapability.CoalescedPio, () => Vm.RegisterCoalescedMmio(zone));
        HostRefusal.Unless(Vm, KvmCapability.CoalescedPio, () => Vm.UnregisterCoalescedMmio(zone));
    }

    [Test]
    public void Dirty_ring_names_the_written_page_or_is_refused_by_name()
    {
        using KvmVmFd vm = System.CreateVm();
        if (vm.CheckExtension(KvmCapability.DirtyLogRing) == 0 && vm.CheckExtension(KvmCapability.DirtyLogRingAcqRel) == 0)
        {
            HostRefusal.Of(() => vm.EnableDirtyRing(65536)).Should().Be(KvmCapability.DirtyLogRing);
            return;
        }

        const uint RingBytes = 65536;
        vm.EnableDirtyRing(RingBytes);
        using MemoryMapping ram = MemoryMapping.Create(4 * Page);
        vm.SetUserMemoryRegion(3, KvmMemoryRegionFlags.LogDirtyPages, 0, ram, 0, 4 * Page);
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        using DirtyRing ring = vcpu.MapDirtyRing(RingBytes);
        s_store.CopyTo(ram.Slice(CodeAddress, s_store.Length));
        vcpu.GetSregs(out KvmSregs system);
        system.Cs.Base = 0;
        system.Cs.Selector = 0;
        system.Ds.Base = 2 * Page;
        vcpu.SetSregs(system);
        vcpu.SetRegs(new KvmRegs { Rip = CodeAddress, Rflags = 2 });

        using (KvmVcpuSession session = vcpu.OpenSession())
        {
            session.Run().Should().Be(0);
        }

        List<(uint Slot, ulong Page)> written = [];
        while (ring.TryHarvest(out uint slot, out ulong page))
        {
            written.Add((slot, page));
        }

        ring.Capacity.Should().Be(RingBytes / 16);
        written.Should().Contain((3u, 2UL));
        vm.ResetDirtyRings().Should().Be(written.Count);
        ring.TryHarvest(out _, out _).Should().BeFalse();
    }

    [Test]
    public void Memory_attributes_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.MemoryAttributes, () =>
            Vm.SetMemoryAttributes(0, Page, KvmMemoryAttribute.None));

    [Test]
    public void Guest_memfd_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.GuestMemfd, () =>
        {
            using GuestMemfd memory = Vm.CreateGuestMemfd(Page, KvmGuestMemfdFlags.None);
            memory.Size.Should().Be(Page);
        });

    [Test]
    public void Second_form_of_slots_or_refused_by_name()
    {
        using MemoryMapping ram = MemoryMapping.Create(Page);
        KvmUserspaceMemoryRegion2 region = new()
        {
            Slot = 2,
            GuestPhysAddr = SecondSlot,
            MemorySize = Page,
            UserspaceAddr = ram.Address,
        };

        HostRefusal.Unless(Vm, KvmCapability.UserMemory2, () => Vm.SetUserMemoryRegion2(region));
    }

    private void LoadStore()
    {
        Load(s_store);
        Vcpu.GetSregs(out KvmSregs system);
        system.Ds.Base = SecondSlot;
        Vcpu.SetSregs(system);
    }
}
