// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Interrupt controllers, PIT, routing and eventfds, with all chips inside KVM.</summary>
[TestFixture]
public sealed class KvmVmFdInterruptTests : KvmFixture
{
    private const uint Gsi = 5;

    private protected override void PrepareVm()
    {
        Vm.CreateIrqchip();
        Vm.CreatePit2(KvmPitConfigFlags.SpeakerDummy);
    }

    [Test]
    public void Second_irqchip_is_refused()
    {
        Action create = Vm.CreateIrqchip;

        create.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EEXIST);
    }

    [Test]
    public void Pic_state_reads_back()
    {
        Vm.GetIrqchip(KvmIrqchipId.PicSlave, out KvmIrqchip state);
        state.Pic.IrqBase = 0x70;
        state.Pic.Imr = 0xa5;

        Vm.SetIrqchip(state);
        Vm.GetIrqchip(KvmIrqchipId.PicSlave, out KvmIrqchip after);

        after.Pic.IrqBase.Should().Be(0x70);
        after.Pic.Imr.Should().Be(0xa5);
    }

    [Test]
    public void Ioapic_entry_reads_back()
    {
        // Masked, level triggered, vector 0x33, destination 1.
        const ulong Entry = 0x0100_0000_0001_8033;
        Vm.GetIrqchip(KvmIrqchipId.Ioapic, out KvmIrqchip state);
        state.Ioapic.Redirtbl[7] = Entry;

        Vm.SetIrqchip(state);
        Vm.GetIrqchip(KvmIrqchipId.Ioapic, out KvmIrqchip after);

        after.Ioapic.Redirtbl[7].Should().Be(Entry);
    }

    [Test]
    public void Raised_line_shows_in_the_pic()
    {
        Vm.IrqLine(Gsi, true);
        Vm.GetIrqchip(KvmIrqchipId.PicMaster, out KvmIrqchip raised);
        Vm.IrqLine(Gsi, false);
        int status = Vm.IrqLineStatus(Gsi, true);

        (raised.Pic.Irr & (1 << (int)Gsi)).Should().NotBe(0);
        status.Should().BeInRange(-1, 2);
    }

    [Test]
    public void Routing_table_is_replaced_and_an_msi_is_delivered_by_it()
    {
        KvmIrqRoutingEntry route = new() { Gsi = 30, Type = (uint)KvmIrqRoutingType.Msi };
        route.Msi = new KvmIrqRoutingMsi { AddressLo = 0xfee0_0000, Data = 0x55 };
        using EventFd trigger = EventFd.Create();
        EnableLocalApic();

        Vm.SetGsiRouting([route]);
        Vm.AssignIrqfd(trigger, 30);
        bool delivered = Vm.SignalMsi(new KvmMsi { AddressLo = 0xfee0_0000, Data = 0x44 });
        Vm.DeassignIrqfd(trigger, 30);

        delivered.Should().BeTrue();
        RequestedVectors().Should().Contain(0x44);
    }

    [Test]
    public void Irqfd_raises_its_line()
    {
        using EventFd trigger = EventFd.Create();
        Vm.AssignIrqfd(trigger, Gsi);

        trigger.Signal();
        Vm.DeassignIrqfd(trigger, Gsi);
        Vm.GetIrqchip(KvmIrqchipId.PicMaster, out KvmIrqchip state);

        // An edge stays in the request register; the deassignment waits for the injection under way.
        (state.Pic.Irr & (1 << (int)Gsi)).Should().NotBe(0);
    }

    [Test]
    public void Resampling_irqfd_is_taken_or_refused_by_name()
    {
        using EventFd trigger = EventFd.Create();
        using EventFd resample = EventFd.Create();

        HostRefusal.Unless(Vm, KvmCapability.IrqfdResample, () => Vm.AssignIrqfd(trigger, 10, resample));
        resample.Take().Should().Be(0);
    }

    [Test]
    public void Closed_eventfd_is_the_caller_s_mistake()
    {
        EventFd trigger = EventFd.Create();
        trigger.Dispose();

        FluentActions.Invoking(() => Vm.AssignIrqfd(trigger, Gsi)).Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void Port_write_that_matches_signals_the_eventfd_and_does_not_exit()
    {
        const KvmIoeventfdFlags Flags = KvmIoeventfdFlags.Pio | KvmIoeventfdFlags.Datamatch;
        using EventFd target = EventFd.Create();
        Vm.AssignIoeventfd(target, 0x70, 1, Flags, 7);

        // mov al, 7; out 0x70, al; mov al, 8; out 0x70, al
        Load(0xb0, 0x07, 0xe6, 0x70, 0xb0, 0x08, 0xe6, 0x70);
        KvmExitReason reason = Run();
        ulong count = target.Take();
        Vm.DeassignIoeventfd(target, 0x70, 1, Flags, 7);

        reason.Should().Be(KvmExitReason.Io);
        Vcpu.Page.TryGetIoData(out Span<byte> data).Should().BeTrue();
        data.ToArray().Should().Equal(8);
        count.Should().Be(1);
    }

    [Test]
    public void Ioeventfd_of_any_length_or_refused_by_name()
    {
        using EventFd target = EventFd.Create();

        HostRefusal.Unless(Vm, KvmCapability.IoeventfdAnyLength, () =>
            Vm.AssignIoeventfd(target, 0xd000_0000, 0, KvmIoeventfdFlags.None));
    }

    [Test]
    public void Pit_state_reads_back()
    {
        KvmPitState2 state = Vm.GetPit2();
        state.Channels[2].Count = 0x1234;
        state.Channels[2].Mode = 3;

        Vm.SetPit2(state);
        KvmPitState2 after = Vm.GetPit2();

        after.Channels[2].Count.Should().Be(0x1234);
        after.Channels[2].Mode.Should().Be(3);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Reinjection_of_pit_ticks_is_switched(bool reinject) =>
        FluentActions.Invoking(() => Vm.ReinjectControl(reinject)).Should().NotThrow();

    [Test]
    public void Local_apic_state_reads_back()
    {
        const int SpuriousVector = 0xf0;
        Vcpu.GetLapic(out KvmLapicState state);
        state.Regs[SpuriousVector] = 0xef;
        state.Regs[SpuriousVector + 1] = 0x01;

        Vcpu.SetLapic(state);
        Vcpu.GetLapic(out KvmLapicState after);

        after.Regs[SpuriousVector].Should().Be(0xef);
        after.Regs[SpuriousVector + 1].Should().Be(0x01);
    }

    [Test]
    public void Task_priority_reports_and_virtual_apic_page_are_taken()
    {
        FluentActions.Invoking(() => Vcpu.TprAccessReporting(true)).Should().NotThrow();
        FluentActions.Invoking(() => Vcpu.SetVapicAddr(0)).Should().NotThrow();
    }

    [Test]
    public void External_interrupt_is_not_injected_by_hand()
    {
        Action inject = () => Vcpu.Interrupt(0x20);

        inject.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.ENXIO);
    }

    [Test]
    public void Multiprocessing_state_reads_back()
    {
        KvmRequirement.Require(System, KvmCapability.MpState);

        Vcpu.SetMpState(KvmMpStateValue.Halted);

        Vcpu.GetMpState().Should().Be(KvmMpStateValue.Halted);
    }

    private void EnableLocalApic()
    {
        Vcpu.GetLapic(out KvmLapicState state);
        state.Regs[0xf0] = 0xff;
        state.Regs[0xf1] = 0x01;
        Vcpu.SetLapic(state);
    }

    private IEnumerable<int> RequestedVectors()
    {
        // The request register: 256 bits, 32 of them every 16 bytes from 0x200.
        const int RequestRegister = 0x200;
        Vcpu.GetLapic(out KvmLapicState state);
        byte[] registers = ((ReadOnlySpan<byte>)state.Regs).ToArray();
        return Enumerable.Range(0, 256).Where(vector =>
            (registers[RequestRegister + (vector / 32 * 16) + (vector % 32 / 8)] & (1 << (vector % 8))) != 0);
    }
}
