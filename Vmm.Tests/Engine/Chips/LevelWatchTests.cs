// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Chips;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>Ends of level-triggered interrupts in split mode, reported by the hypervisor or not.</summary>
public sealed class LevelWatchTests : ChipFixture
{
    private const int Pin = 20;
    private const uint Level = 1 << 15;
    private const int Requests = 0x200;
    private const int InService = 0x100;
    private const long Interval = LevelWatch.FirstLook;

    private FakeVm _hypervisor = null!;
    private IInterruptLine _line = null!;

    [SetUp]
    public void RaiseLine()
    {
        UseChips(Options() with { PlatformChips = true, MaxCpus = 2, InterruptControllerMode = InterruptControllerMode.Split });
        _hypervisor = (FakeVm)Machine.BackendVm;
        Start();
        Machine.IoApic.WriteMmio(0, 4, 0x10 + (2 * Pin));
        Machine.IoApic.WriteMmio(0x10, 4, Level | Vector);
        _line = Machine.GetInterruptLine(Pin);
        _line.SetLevel(true);
    }

    [Test]
    public void Interrupt_is_sent_once_while_the_local_APIC_holds_it([Values(Requests, InService)] int register)
    {
        _hypervisor.Vcpu(0).SetVector(register, Vector, set: true);

        Clock.Advance(100 * Interval);

        _hypervisor.Messages.Should().HaveCount(1);
    }

    [Test]
    public void End_that_is_not_reported_is_found_and_the_line_sends_again()
    {
        Clock.Advance(Interval);

        _hypervisor.Messages.Should().HaveCount(2);
    }

    [Test]
    public void End_that_is_not_reported_is_found_after_the_line_has_fallen()
    {
        _line.SetLevel(false);
        Clock.Advance(Interval);

        _line.SetLevel(true);

        _hypervisor.Messages.Should().HaveCount(2);
    }

    [Test]
    public void Reported_end_leaves_nothing_to_look_for()
    {
        _line.SetLevel(false);
        End();
        int reads = _hypervisor.Vcpu(0).LocalApicReads;

        Clock.Advance(100 * Interval);

        _hypervisor.Vcpu(0).LocalApicReads.Should().Be(reads);
        Clock.Deadlines.NextDue.Should().Be(long.MaxValue);
    }

    [Test]
    public void Late_report_of_an_end_that_was_found_does_not_end_the_next_interrupt()
    {
        Clock.Advance(Interval);
        _hypervisor.Vcpu(0).SetVector(Requests, Vector, set: true);

        End();

        _hypervisor.Messages.Should().HaveCount(2);
        _hypervisor.Vcpu(0).SetVector(Requests, Vector, set: false);
        End();
        _hypervisor.Messages.Should().HaveCount(3);
    }

    [Test]
    public void Vector_in_any_local_APIC_has_not_ended()
    {
        Machine.GetVcpu(new VcpuId(1)).Activate();
        _hypervisor.Vcpu(1).SetVector(InService, Vector, set: true);

        Clock.Advance(100 * Interval);

        _hypervisor.Messages.Should().HaveCount(1);
    }

    [Test]
    public void Vcpu_that_somebody_owns_is_asked_again_later()
    {
        Background owner = Background.Start(() =>
        {
            using IDisposable ownership = Cpu.Acquire();
            Clock.Advance(Interval);
        });
        owner.Join();

        _hypervisor.Messages.Should().HaveCount(1);

        Clock.Advance(LevelWatch.LongestInterval);

        _hypervisor.Messages.Should().HaveCountGreaterThan(1);
    }

    [Test]
    public void Vcpu_in_the_guest_answers_on_its_own_thread()
    {
        FakeVcpu guest = _hypervisor.Vcpu(0);
        guest.Then((FakeVcpu _, ref VmExit exit) =>
        {
            Clock.Advance(Interval);
            exit.Set(ExitCode.Bogus, 0);
        });
        guest.ThenPause();

        Cpu.Run(VmEntry.Default);

        _hypervisor.Messages.Should().HaveCount(2);
    }

    private void End()
    {
        FakeVcpu guest = _hypervisor.Vcpu(0);
        guest.Then((FakeVcpu _, ref VmExit exit) => exit.SetValue(ExitCode.IoapicEoi, Vector, 0));
        guest.ThenPause();
        Cpu.Run(VmEntry.Default);
    }
}
