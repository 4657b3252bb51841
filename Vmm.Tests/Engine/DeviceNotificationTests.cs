// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>What the engine gives a hypervisor to watch, and what it does itself.</summary>
public sealed class DeviceNotificationTests : EngineFixture
{
    private const ulong Registers = 0xd0000000;

    private static readonly Doorbell s_bell = new(BusKind.Memory, Registers, 4);

    private FakeVm BackendVm => (FakeVm)Machine.BackendVm;

    [Test]
    public void Hypervisor_is_given_registrations_until_they_end()
    {
        using SafeHandle counter = Backend.CreateEvent();
        IDoorbellRegistration bell = Machine.AttachDoorbell(s_bell, counter);
        ICoalescedRange range = Machine.Coalesce(BusKind.Port, 0x10, 4);

        bell.IsTakenByHypervisor.Should().BeTrue();
        range.IsTakenByHypervisor.Should().BeTrue();
        BackendVm.Doorbells.Should().Equal(s_bell);
        BackendVm.CollectedRanges.Should().Equal((BusKind.Port, 0x10ul, 4u));
        bell.Dispose();
        range.Dispose();
        BackendVm.Doorbells.Should().BeEmpty();
        BackendVm.CollectedRanges.Should().BeEmpty();
        bell.IsTakenByHypervisor.Should().BeFalse();
    }

    [Test]
    public void Reinitialization_takes_registrations_to_the_new_VM_of_the_hypervisor()
    {
        using SafeHandle counter = Backend.CreateEvent();
        using IDoorbellRegistration bell = Machine.AttachDoorbell(s_bell, counter);
        FakeVm before = BackendVm;

        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Reinitialize(freeze);
        }

        before.Doorbells.Should().BeEmpty("it was ended before its VM");
        BackendVm.Should().NotBeSameAs(before);
        BackendVm.Doorbells.Should().Equal(s_bell);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void What_the_hypervisor_does_not_take_the_engine_does(bool throws)
    {
        Backend.TakesDoorbells = false;
        Backend.DoorbellRefusal = throws ? new VmmException("KVM_IOEVENTFD", VmmError.EINVAL, "no") : null;
        using SafeHandle counter = Backend.CreateEvent();
        using IDoorbellRegistration bell = Machine.AttachDoorbell(s_bell, counter);
        FakeMmio mmio = new();
        Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Registers), 0x100), mmio);
        using ICoalescedRange range = Machine.Coalesce(BusKind.Memory, Registers + 8, 8);
        Start().ThenMmioWrite(Registers, 4, 1).ThenMmioWrite(Registers + 8, 4, 2).ThenExit(ExitCode.Pause);

        Run().Code.Should().Be(ExitCode.Pause);

        Backend.TakeEvent(counter).Should().Be(1);
        mmio.Accesses.Should().Equal((false, 8, 4, 2));
        (bell.IsTakenByHypervisor || range.IsTakenByHypervisor).Should().BeFalse();
    }

    [Test]
    public void Collected_writes_come_before_the_exit_that_follows_them()
    {
        FakePort port = new();
        Machine.Ports.Attach(0x10, port);
        Machine.Ports.Attach(0x20, port);
        using ICoalescedRange range = Machine.Coalesce(BusKind.Port, 0x10, 1);
        Start().Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 2, 0xbeef));
            vcpu.Out(ref exit, 0x20, 1, 5);
        }).ThenExit(ExitCode.Pause);

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, 0x10, 2, 0xbeef), (false, 0x20, 1, 5));
    }

    [Test]
    public void Collected_writes_that_nobody_takes_are_counted()
    {
        using ICoalescedRange range = Machine.Coalesce(BusKind.Memory, Registers, 8);
        Start().Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Memory, Registers, 4, 1));
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x11, 1, 1));
            exit.Set(ExitCode.Pause, 0);
        });

        Run().Code.Should().Be(ExitCode.Pause);

        Cpu.Counters.UnclaimedMmio.Should().Be(1);
        Cpu.Counters.UnclaimedPorts.Should().Be(1);
    }

    [Test]
    public void Writes_that_go_on_coming_do_not_keep_a_vCPU_for_ever()
    {
        FakeMmio mmio = new();
        using ICoalescedRange range = Machine.Coalesce(BusKind.Memory, Registers, 8);
        Machine.Ports.Attach(0x10, new FakePort { During = _ => BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 0)) });
        Start().Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 0));
            exit.Set(ExitCode.Pause, 0);
        });

        Run().Code.Should().Be(ExitCode.Pause);

        BackendVm.Collected.Should().ContainSingle("each of a ring's worth of writes made another one");
    }

    [Test]
    public void Handler_that_throws_has_taken_its_write_and_the_next_ones_come_later()
    {
        FakePort port = new() { During = _ => throw new TimeZoneNotFoundException() };
        Machine.Ports.Attach(0x10, port);
        using ICoalescedRange range = Machine.Coalesce(BusKind.Port, 0x10, 1);
        Start().Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 1));
            BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 2));
            exit.Set(ExitCode.Bogus, 0);
        }).ThenExit(ExitCode.Pause);

        Action run = () => Run();
        run.Should().Throw<TimeZoneNotFoundException>();
        port.During = null;
        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, 0x10, 1, 2));
    }

    [Test]
    public void Halt_stands_although_a_write_collected_before_it_throws()
    {
        FakeVcpu guest = Start().ThenHlt(interruptible: false).ThenPause();
        ThrowAtCollectedWrite();

        Run().Suspended.Should().Be(SuspendReason.Halt);
        Cpu.Counters.HaltExits.Should().Be(1);
        guest.Entries.Should().Be(1);
    }

    [Test]
    public void Halt_that_is_due_ends_when_RIP_is_moved()
    {
        Start().ThenHlt(interruptible: false).ThenPause();
        ThrowAtCollectedWrite();

        Cpu.SetRegister(Vmm.Abstractions.Registers.RegisterName.Rip, 0x100);

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Shutdown_stands_although_a_write_collected_before_it_throws()
    {
        Start().ThenExit(ExitCode.Shutdown).ThenPause();
        ThrowAtCollectedWrite();

        Run().Suspended.Should().Be(SuspendReason.TripleFault);
    }

    [Test]
    public void Access_behind_a_collected_write_that_throws_reaches_its_handler_at_the_next_run()
    {
        FakePort port = new();
        Machine.Ports.Attach(0x20, port);
        Start().ThenOut(0x20, 1, 5).ThenPause();
        ThrowAtCollectedWrite();
        port.Accesses.Should().BeEmpty();

        Run().Code.Should().Be(ExitCode.Pause);

        port.Accesses.Should().Equal((false, 0x20, 1, 5));
    }

    [Test]
    public void Access_behind_a_collected_write_that_throws_can_be_answered_by_the_caller()
    {
        FakePort port = new() { Outcome = () => throw new InvalidOperationException("the caller has answered") };
        Machine.Ports.Attach(0x20, port);
        FakeVcpu guest = Start().ThenIn(0x20, 1).ThenPause();
        ThrowAtCollectedWrite();
        Cpu.Pending.Should().Be(PendingOperation.Exit);

        Run(VmEntry.FulfillPort(Cpu.Exit.Port, 9)).Code.Should().Be(ExitCode.Pause);

        guest.Answers.Should().Equal((9ul, Vmm.Abstractions.Msr.MsrOutcome.Handled));
    }

    /// <summary>Runs the guest to its next exit, before which there is a write whose handler throws.</summary>
    private void ThrowAtCollectedWrite()
    {
        Machine.Coalesce(BusKind.Port, 0x10, 1);
        IDisposable attached = Machine.Ports.Attach(0x10, new FakePort { During = _ => throw new TimeZoneNotFoundException() });
        BackendVm.Collected.Enqueue(new CollectedWrite(BusKind.Port, 0x10, 1, 1));
        Action run = () => Run();
        run.Should().Throw<TimeZoneNotFoundException>();
        attached.Dispose();
    }
}
