// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>Which chips a VM has, where, and who else can reach them.</summary>
public sealed class PlatformTests : ChipFixture
{
    [TestCase((ushort)0x20)]
    [TestCase((ushort)0x4d1)]
    [TestCase((ushort)0x43)]
    [TestCase((ushort)0x61)]
    [TestCase((ushort)0x71)]
    public void Ports_of_the_chips_are_taken(ushort port) =>
        Machine.Invoking(machine => machine.Ports.Attach(port, new FakePort())).Should().Throw<VmmException>()
            .Where(e => e.Error == VmmError.EEXIST);

    [TestCase(0xfec00000ul)]
    [TestCase(0xfed00000ul)]
    [TestCase(0xfee00000ul)]
    public void Pages_of_the_chips_are_taken(ulong address) =>
        Machine.Invoking(machine => machine.Mmio.Attach(GuestPhysicalRange.Create(At(address), 16), new FakeMmio()))
            .Should().Throw<VmmException>().Where(e => e.Error == VmmError.EEXIST);

    [Test]
    public void VM_without_the_option_has_no_chips_and_claims_nothing()
    {
        VirtualMachine plain = Create(Options("plain"));

        plain.Invoking(machine => machine.GetLocalApic(default)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ENOTSUP);
        plain.Invoking(machine => machine.Hpet).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ENOTSUP);
        plain.Invoking(machine => machine.GetInterruptLine(0)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ENOTSUP);
        plain.Ports.Attach(0x20, new FakePort()).Dispose();
    }

    [Test]
    public void In_kernel_mode_the_engine_adds_what_the_hypervisor_lacks()
    {
        VirtualMachine machine = Create(Options("kernel") with
        {
            PlatformChips = true,
            InterruptControllerMode = InterruptControllerMode.Kernel,
        });
        FakeVm backend = (FakeVm)machine.BackendVm;

        machine.PmTimer.Locate(0x608);
        machine.PmTimer.WriteEvents(2, 2, 1);
        machine.Hpet.Capabilities.Should().NotBe(0);
        machine.Invoking(each => each.IoApic).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ENOTSUP);
        machine.Ports.Attach(0x20, new FakePort()).Dispose();
        backend.Options.ApicMsrExits.Should().BeFalse();
    }

    [Test]
    [Proves("vm_lapic", "vm_ioapic", "vm_hpet", "vm_atpic", "vm_atpit", "vm_pmtmr", "vm_rtc")]
    public void Chips_are_reached_through_the_contract()
    {
        IPlatformChips chips = Machine;
        Start();

        chips.IoApic.PinCount.Should().Be(32);
        chips.AtPit.Frequency.Should().Be(1_193_182);
        chips.GetLocalApic(default).Should().NotBeNull().And.BeSameAs(Machine.GetLocalApic(default));
        chips.AtPic.Should().NotBeNull().And.BeSameAs(Machine.AtPic);
        chips.Hpet.Should().NotBeNull().And.BeSameAs(Machine.Hpet);
        chips.Rtc.Should().NotBeNull().And.BeSameAs(Machine.Rtc);
        chips.PmTimer.Should().NotBeNull().And.BeSameAs(Machine.PmTimer);
    }

    [Test]
    [Proves("vm_service_mmio_read", "vm_service_mmio_write")]
    public void Registers_are_served_on_behalf_of_a_vCPU()
    {
        VirtualMachine registers = Machine;
        Start(1);

        registers.TryRead(new VcpuId(1), At(LocalApic + 0x20), 4, out ulong id).Should().BeTrue();
        id.Should().Be(1ul << 24);
        registers.TryWrite(new VcpuId(1), At(LocalApic + 0xf0), 4, Enabled).Should().BeTrue();
        Machine.GetLocalApic(new VcpuId(1)).IsSoftwareEnabled.Should().BeTrue();
        registers.TryRead(default, At(0xfec00000), 4, out _).Should().BeTrue();
        registers.TryRead(default, At(0xfed00000), 8, out ulong capabilities).Should().BeTrue();
        capabilities.Should().Be(Machine.Hpet.Capabilities);
        registers.TryRead(default, At(0x1000), 4, out _).Should().BeFalse();
        Machine.Invoking(machine => machine.TryRead(default, At(LocalApic), 3, out _)).Should().Throw<VmmException>();
    }

    [Test]
    public void Power_management_timer_moves_its_port()
    {
        Machine.PmTimer.Locate(0x608);
        Machine.PmTimer.Locate(0xb008);
        uint value = 0;

        Machine.Ports.Access(Cpu, isIn: true, 0x608, 4, ref value).Should().Be(Vmm.Abstractions.IoPorts.PortOutcome.Unclaimed);
        Machine.Ports.Access(Cpu, isIn: true, 0xb008, 4, ref value).Should().Be(Vmm.Abstractions.IoPorts.PortOutcome.Handled);
    }

    [Test]
    public void Processor_comes_up_in_x2APIC_mode_when_it_is_told()
    {
        Start();
        Cpu.X2ApicState = X2ApicState.Enabled;

        Machine.GetLocalApic(default).Mode.Should().Be(Vmm.Emulation.Interrupts.ApicMode.X2Apic);
        Guest.TryGetMsr(new(0x1b), out ulong apicBase).Should().BeTrue();
        apicBase.Should().Be(0xfee00d00);
        Cpu.X2ApicState.Should().Be(X2ApicState.Enabled);
    }

    [Test]
    public void Registers_of_x2APIC_mode_are_model_specific_ones()
    {
        FakeVcpu guest = Start();
        guest.ThenWrmsr(0x1b, 0xfee00d00).ThenWrmsr(0x80f, Enabled).ThenRdmsr(0x80f).ThenRdmsr(0x8ff).ThenPause();

        Run();

        guest.Answers.Select(answer => answer.Outcome).Should().Equal(
            Vmm.Abstractions.Msr.MsrOutcome.Handled,
            Vmm.Abstractions.Msr.MsrOutcome.Handled,
            Vmm.Abstractions.Msr.MsrOutcome.Handled,
            Vmm.Abstractions.Msr.MsrOutcome.GeneralProtection);
        guest.Answers[2].Value.Should().Be(Enabled);
    }

    [TestCase(32)]
    [TestCase(1000)]
    public void Line_that_the_IO_APIC_does_not_have_is_refused(int line) =>
        Machine.Invoking(machine => machine.GetInterruptLine(line)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);

    [Test]
    public void Wires_to_one_input_are_joined()
    {
        Start();
        InitializePic();
        uint levels = 0x20;
        Machine.Ports.Access(Cpu, isIn: false, 0x4d0, 1, ref levels);
        Vmm.Abstractions.Events.IInterruptLine first = Machine.GetInterruptLine(5);
        Vmm.Abstractions.Events.IInterruptLine second = Machine.GetInterruptLine(5);
        first.SetLevel(true);
        second.SetLevel(true);
        second.SetLevel(true);
        second.SetLevel(false);

        Machine.AtPic.IsInterruptRequested.Should().BeTrue();
        first.SetLevel(false);
        Machine.AtPic.IsInterruptRequested.Should().BeFalse();
    }
}
