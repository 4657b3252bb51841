// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>Wires, pins and requests of controllers that the hypervisor has: what it is told, and what is counted here.</summary>
public sealed class HypervisorLineTests : ChipFixture
{
    private FakeVm _hypervisor = null!;
    private IPlatformChips _chips = null!;

    [SetUp]
    public void UseKernelMode()
    {
        UseChips(Options() with { PlatformChips = true, InterruptControllerMode = InterruptControllerMode.Kernel });
        _hypervisor = (FakeVm)Machine.BackendVm;
        _chips = Machine;
    }

    [Test]
    public void Wires_to_one_input_are_joined()
    {
        IInterruptLine first = Machine.GetInterruptLine(10);
        IInterruptLine second = Machine.GetInterruptLine(10);
        first.SetLevel(true);
        second.SetLevel(true);
        first.SetLevel(false);
        first.SetLevel(false);

        _hypervisor.Lines.Should().Equal((10, true));

        second.SetLevel(false);
        _hypervisor.Lines.Should().Equal((10, true), (10, false));
    }

    [Test]
    public void Pin_that_is_asserted_already_leaves_the_request_to_the_wire()
    {
        _chips.IoApic.AssertPin(10);
        Machine.GetInterruptLine(10).SetLevel(true);

        _hypervisor.PinCalls.Should().Equal((10, true));
        _hypervisor.RequestCalls.Should().Equal((10, true));
        _hypervisor.Lines.Should().BeEmpty();
    }

    [Test]
    public void Request_that_is_asserted_already_leaves_the_pin_to_the_wire()
    {
        _chips.AtPic.AssertIrq(0);
        Machine.GetInterruptLine(0).SetLevel(true);

        _hypervisor.RequestCalls.Should().Equal((0, true));
        _hypervisor.PinCalls.Should().Equal((2, true));
    }

    [Test]
    public void Pulse_is_an_edge_only_when_nobody_holds_the_pin_up()
    {
        _chips.IoApic.PulsePin(20);
        _chips.IoApic.AssertPin(20);
        _chips.IoApic.PulsePin(20);

        _hypervisor.PinCalls.Should().Equal((20, true), (20, false), (20, true));
    }

    [Test]
    public void Deassertion_of_what_is_not_asserted_is_refused()
    {
        _chips.IoApic.Invoking(chip => chip.DeassertPin(3)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ERANGE);
        _chips.AtPic.Invoking(chip => chip.DeassertIrq(3)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.ERANGE);
    }

    [Test]
    public void Input_that_is_not_there_is_refused()
    {
        _chips.IoApic.Invoking(chip => chip.AssertPin(24)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
        _chips.AtPic.Invoking(chip => chip.PulseIrq(16)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
        _chips.AtPic.Invoking(chip => chip.SetTrigger(1, true)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
        Machine.Invoking(machine => machine.GetInterruptLine(24)).Should().Throw<VmmException>().Where(e => e.Error == VmmError.EINVAL);
    }

    [Test]
    public void Trigger_mode_is_the_hypervisors()
    {
        _chips.AtPic.SetTrigger(11, level: true);
        _chips.AtPic.SetTrigger(5, level: true);
        _chips.AtPic.SetTrigger(5, level: false);

        _hypervisor.Read8259(isSlave: true).LevelTriggered.Should().Be(1 << 3);
        _hypervisor.Read8259(isSlave: false).LevelTriggered.Should().Be(0);
    }

    [Test]
    public void Interrupt_for_a_local_APIC_goes_as_a_message_to_its_id()
    {
        ILocalApic apic = _chips.GetLocalApic(default);

        apic.SetInterrupt(Vector, level: true);

        _hypervisor.Messages.Should().Equal((0xfee00000ul, 0xc000u | Vector));
        apic.Invoking(chip => chip.SetInterrupt(15, level: false)).Should().Throw<VmmException>()
            .Where(e => e.Error == VmmError.EINVAL);
    }

    [TestCase(2, 0x40u, 1)]
    [TestCase(2, 0x10040u, 0)]
    [TestCase(0, 0x8040u, 1)]
    public void Local_interrupt_fires_as_its_entry_says(int index, uint entry, int messages)
    {
        FakeVcpu guest = Start();
        BitConverter.TryWriteBytes(guest.LocalApicPage[0xf0..], Enabled);
        BitConverter.TryWriteBytes(guest.LocalApicPage[(index == 0 ? 0x350 : 0x320)..], entry);
        guest.TrySetMsr(new(0x1b), 0xfee00900);

        _chips.GetLocalApic(default).SetLocalInterrupt(index);

        _hypervisor.Messages.Should().HaveCount(messages);
    }

    [Test]
    public void Local_interrupt_1_of_a_disabled_local_APIC_is_NMI()
    {
        Start();

        _chips.GetLocalApic(default).SetLocalInterrupt(1);

        Cpu.IsNmiPending.Should().BeTrue();
    }
}
