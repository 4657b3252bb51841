// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>What the engine's interrupt controllers give a vCPU, when, and in which order.</summary>
public sealed class InjectionTests : ChipFixture
{
    [Test]
    public void Exception_comes_first_then_NMI_then_external_interrupt_then_local_vector()
    {
        FakeVcpu guest = StartEnabled();
        InitializePic();
        Machine.GetLocalApic(default).WriteMmio(0x350, 4, 0x700);
        Machine.GetInterruptLine(3).SetLevel(true);
        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        Cpu.Inject(GuestException.InvalidOpcode());
        guest.ThenPause();

        Run();

        Vectors(guest).Should().Equal(6, 0x23, Vector);
    }

    [Test]
    public void Nothing_else_is_injected_with_an_NMI()
    {
        FakeVcpu guest = StartEnabled();
        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        Cpu.InjectNmi();
        int deliveredWithNmi = -1;
        bool window = false;
        guest.SetRegister(RegisterName.Rflags, 2);
        guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            deliveredWithNmi = vcpu.Delivered.Count;
            window = vcpu.InterruptWindowRequested;
            vcpu.SetRegister(RegisterName.Rflags, 0x202);
            exit.Set(ExitCode.InterruptWindow, 0);
        }).ThenPause();

        Run();

        guest.Nmis.Should().Be(1);
        deliveredWithNmi.Should().Be(0);
        window.Should().BeTrue();
        Vectors(guest).Should().Equal(Vector);
    }

    [Test]
    public void Window_is_asked_for_only_while_something_waits()
    {
        FakeVcpu guest = StartEnabled();
        guest.SetRegister(RegisterName.Rflags, 2);
        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        guest.ThenPause();

        Run();

        guest.InterruptWindowRequested.Should().BeTrue();
        guest.Delivered.Should().BeEmpty();

        guest.SetRegister(RegisterName.Rflags, 0x202);
        guest.ThenPause();
        Run();

        guest.InterruptWindowRequested.Should().BeFalse();
        Vectors(guest).Should().Equal(Vector);
    }

    [Test]
    public void Second_vector_of_the_same_class_waits_for_the_end_of_the_first()
    {
        FakeVcpu guest = StartEnabled();
        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        Machine.GetLocalApic(default).SetInterrupt(Vector + 1, level: false);
        int before = 0;
        guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            before = vcpu.Delivered.Count;
            vcpu.MmioWrite(ref exit, LocalApic + EndOfInterrupt, 4, 0);
        }).ThenPause();

        Run();

        before.Should().Be(1);
        Vectors(guest).Should().Equal(Vector + 1, Vector);
    }

    [Test]
    public void CR8_holds_vectors_back_until_the_guest_lowers_it()
    {
        FakeVcpu guest = StartEnabled();
        guest.TaskPriority = Vector >> 4;
        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        guest.Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.TaskPriority = 0;
            exit.Set(ExitCode.SetTpr, 0);
        }).ThenPause();
        guest.Delivered.Should().BeEmpty();

        Run();

        Vectors(guest).Should().Equal(Vector);
        guest.Entries.Should().Be(2);
    }

    [Test]
    public void Task_priority_register_and_CR8_are_one()
    {
        FakeVcpu guest = StartEnabled();
        guest.ThenMmioWrite(LocalApic + 0x80, 4, 0x57).ThenMmioRead(LocalApic + 0x80, 4).Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.TaskPriority = 9;
            vcpu.MmioRead(ref exit, LocalApic + 0x80, 4);
        }).ThenPause();

        Run();

        guest.TaskPriority.Should().Be(9);
        guest.Answers.Select(answer => answer.Value).Should().Equal(0, 0x57, 0x90);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Halted_vCPU_wakes_for_a_vector_above_its_priority(bool isAbove)
    {
        UseChips(Options() with { PlatformChips = true, DetectHalt = false });
        FakeVcpu guest = StartEnabled();
        guest.TaskPriority = (byte)(isAbove ? 1 : 0xf);
        guest.ThenHlt(interruptible: true).ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(isAbove ? ExitCode.Pause : ExitCode.Bogus));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);
        if (!isAbove)
        {
            Cpu.RequestYield();
        }

        runner.Join();
        Vectors(guest).Should().HaveCount(isAbove ? 1 : 0);
    }

    [Test]
    public void Vector_makes_a_vCPU_in_the_guest_exit()
    {
        FakeVcpu guest = StartEnabled();
        guest.ThenSpin().ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Pause));
        Background.Until(() => guest.IsInGuest);

        Machine.GetLocalApic(default).SetInterrupt(Vector, level: false);

        runner.Join();
        Vectors(guest).Should().Equal(Vector);
    }

    [Test]
    public void Local_timer_fires_at_its_nanosecond()
    {
        UseChips(Options() with { PlatformChips = true, DetectHalt = false });
        FakeVcpu guest = StartEnabled();
        guest.ThenMmioWrite(LocalApic + 0x3e0, 4, 0xb)
            .ThenMmioWrite(LocalApic + 0x320, 4, Vector)
            .ThenMmioWrite(LocalApic + 0x380, 4, 134_217_728)
            .ThenHlt(interruptible: true)
            .ThenPause();
        Background runner = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

        Clock.Advance(999_999_999);
        Machine.GetLocalApic(default).TryGetPendingVector(out _).Should().BeFalse();
        Clock.Advance(1);

        runner.Join();
        Vectors(guest).Should().Equal(Vector);
    }

    [Test]
    public void Pit_reaches_the_8259_pair_and_the_IO_APIC()
    {
        FakeVcpu guest = StartEnabled();
        InitializePic();
        Machine.GetLocalApic(default).WriteMmio(0x350, 4, 0x700);
        Machine.IoApic.WriteMmio(0, 4, 0x14);
        Machine.IoApic.WriteMmio(0x10, 4, Vector);
        guest.ThenOut(0x43, 1, 0x34).ThenOut(0x40, 1, 0).ThenOut(0x40, 1, 1)
            .Then((FakeVcpu vcpu, ref VmExit exit) =>
            {
                Clock.Advance(1_000_000);
                exit.Set(ExitCode.InterruptWindow, 0);
            })
            .ThenPause();

        Run();

        Vectors(guest).Should().Equal(0x20, Vector);
    }

    [Test]
    public void Wire_of_a_reinitialized_VM_reaches_its_new_controllers()
    {
        Start();
        IInterruptLine line = Machine.GetInterruptLine(5);
        line.SetLevel(true);
        Vmm.Emulation.Interrupts.AtPic before = Machine.AtPic;
        Machine.Suspend(SuspendReason.Reset);
        Run();
        using (Vmm.Abstractions.Machine.IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Reinitialize(freeze);
        }

        FakeVcpu guest = StartEnabled();
        InitializePic();
        line.SetLevel(true);
        guest.ThenPause();
        Run();

        Machine.AtPic.Should().NotBeSameAs(before);
        Machine.AtPic.IsInterruptRequested.Should().BeTrue("the local APIC masks its pin");
    }
}
