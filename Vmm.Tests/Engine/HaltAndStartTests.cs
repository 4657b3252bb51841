// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>HLT and what ends it, the detection of halted machines, and INIT and start-up interrupts.</summary>
public sealed class HaltAndStartTests : EngineFixture
{
    private static IEnumerable<TestCaseData> Wakers()
    {
        yield return Waker("nmi", cpu => cpu.InjectNmi(), false);
        yield return Waker("init", cpu => { cpu.InjectInit(); cpu.InjectSipi(1); }, false);
        yield return Waker("external interrupt", cpu => cpu.InjectExternalInterrupt(), true);

        static TestCaseData Waker(string name, Action<IVirtualCpu> wake, bool interruptible) =>
            new TestCaseData(wake, interruptible).SetName($"Halted_vCPU_is_woken_by_{name.Replace(' ', '_')}");
    }

    [TestCaseSource(nameof(Wakers))]
    public void Wake(Action<IVirtualCpu> wake, bool interruptible)
    {
        Use(Options() with { DetectHalt = false });
        FakeVcpu guest = Start().ThenHlt(interruptible).ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Pause));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        guest.Entries.Should().Be(1);

        wake(Cpu);

        runner.Join();
        guest.Entries.Should().Be(2);
        Cpu.Counters.HaltExits.Should().Be(1);
        Cpu.Times.Idle.Should().BePositive();
    }

    [Test]
    public void External_interrupt_does_not_wake_a_guest_that_has_them_disabled()
    {
        Use(Options() with { DetectHalt = false });
        FakeVcpu guest = Start().ThenHlt(interruptible: false);
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.InjectExternalInterrupt();
        Cpu.RequestYield();
        runner.Join();

        guest.Entries.Should().Be(1);
    }

    [Test]
    public void Blocks_that_come_and_go_do_not_wake()
    {
        const int Rounds = 3000;
        const int Delays = 100;
        Use(Options() with { DetectHalt = false });
        FakeVcpu guest = Start().ThenHlt(interruptible: false).ThenPause();
        Background runner = Background.Start(() =>
        {
            while (Run().Code == ExitCode.RequestIdle)
            {
            }
        });
        for (int i = 0; i < Rounds && guest.Entries <= 1; i++)
        {
            Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping || guest.Entries > 1);
            IDisposable block = Cpu.BlockRun();
            Thread.SpinWait(i % Delays);
            block.Dispose();
        }

        Machine.Suspend(SuspendReason.Reset);
        runner.Join();
        guest.Entries.Should().Be(1, "nothing has woken the guest");
    }

    [Test]
    public void Exception_injected_by_the_owner_wakes()
    {
        FakeVcpu guest = Start().ThenHlt(interruptible: true).ThenPause();
        Background runner = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.RequestYield();
        runner.Join();

        Cpu.Inject(GuestException.InvalidOpcode());

        Run().Code.Should().Be(ExitCode.Pause);
        guest.Delivered.Should().ContainSingle();
    }

    [Test]
    public void Moving_RIP_ends_a_halt_and_writing_the_same_registers_back_does_not()
    {
        FakeVcpu guest = Start().ThenHlt(interruptible: true).ThenPause();
        Background runner = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.GeneralRegisters = Cpu.GeneralRegisters with { Rax = 5 };
        runner.Join();
        runner = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        guest.Entries.Should().Be(1);

        Cpu.SetRegister(RegisterName.Rip, 0x100);

        runner.Join();
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Last_vCPU_to_halt_with_interrupts_disabled_suspends_the_VM()
    {
        Start(0).ThenHlt(interruptible: false);
        Start(1).ThenHlt(interruptible: false);
        Background first = Background.Start(() => Run().Suspended.Should().Be(SuspendReason.Halt));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Machine.SuspendReason.Should().Be(SuspendReason.None);

        CpuOf(1).Run(VmEntry.Default).Suspended.Should().Be(SuspendReason.Halt);

        first.Join();
        Machine.SuspendReason.Should().Be(SuspendReason.Halt);
    }

    [Test]
    public void Vcpu_that_was_moved_out_of_its_halt_does_not_count_as_halted()
    {
        Start(0).ThenHlt(interruptible: false).ThenPause();
        Start(1).ThenHlt(interruptible: false);
        Background first = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.SetRegister(RegisterName.Rip, 0x100);
        first.Join();
        Run().Code.Should().Be(ExitCode.Pause, "it has moved on");

        Background second = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping || second.IsFinished);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        CpuOf(1).RequestYield();
        second.Join();
    }

    [Test]
    public void Vcpu_without_interrupts_that_is_woken_by_an_NMI_is_not_halted()
    {
        Start(0).ThenHlt(interruptible: false).WhenEmpty = FakeVcpu.Spin;
        Start(1).ThenHlt(interruptible: false);
        Background first = Background.Start(() => Run());
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.InjectNmi();
        Background.Until(() => GuestOf(0).IsInGuest && GuestOf(0).Entries >= 2);
        Background second = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);

        Machine.SuspendReason.Should().Be(SuspendReason.None);
        CpuOf(1).RequestYield();
        Cpu.RequestYield();
        first.Join();
        second.Join();
    }

    [Test]
    public void Vcpu_that_is_reset_and_started_at_once_does_not_count_as_halted()
    {
        Use(Options() with { PlatformChips = true });
        Start(0).ThenHlt(interruptible: false);
        CpuOf(1).Activate();
        GuestOf(1).ThenPause();
        Background waiting = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);
        CpuOf(1).RequestYield();
        waiting.Join();
        CpuOf(1).InjectInit();
        CpuOf(1).InjectSipi(0x9a);
        CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Pause, "it has been started");

        Background halting = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping || halting.IsFinished);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Cpu.RequestYield();
        halting.Join();
    }

    [Test]
    public void Halts_inside_the_hypervisor_are_found_when_all_are_quiet_in_the_same_look()
    {
        Use(Options() with { InterruptControllerMode = InterruptControllerMode.Kernel });
        FakeVcpu[] guests = [Start(0), Start(1)];
        Array.ForEach(guests, guest => guest.WhenEmpty = FakeVcpu.Spin);
        guests[0].Activity = BackendActivity.Halted;
        guests[1].Activity = BackendActivity.Uninitialized;
        List<Background> runners = [.. Enumerable.Range(0, 2).Select(id => Background.Start(() =>
            CpuOf(id).Run(VmEntry.Default).Suspended.Should().Be(SuspendReason.Halt)))];
        Background.Until(() => guests.All(guest => guest.IsInGuest));
        Machine.LookForHalt();
        Machine.SuspendReason.Should().Be(SuspendReason.None, "the first look only learns how many exits there were");

        Machine.LookForHalt();

        runners.ForEach(runner => runner.Join());
        Machine.SuspendReason.Should().Be(SuspendReason.Halt);
    }

    [Test]
    public void Vcpu_that_another_one_wakes_between_their_answers_does_not_count_as_halted()
    {
        (FakeVcpu first, FakeVcpu second) = StartTwoInKernelMode();
        int asked = 0;
        bool isWoken = false;
        first.ActivityWhenAsked = () =>
        {
            BackendActivity activity = Volatile.Read(ref isWoken) ? BackendActivity.Runnable : BackendActivity.Halted;
            Interlocked.Increment(ref asked);
            return activity;
        };
        second.ActivityWhenAsked = () =>
        {
            Background.Until(() => Volatile.Read(ref asked) >= 1);
            Volatile.Write(ref isWoken, true);
            return BackendActivity.Halted;
        };

        LookAtTwo(first, second, () => Volatile.Read(ref asked) >= 2);
    }

    [Test]
    public void Vcpu_that_has_executed_between_its_two_answers_does_not_count_as_halted()
    {
        (FakeVcpu first, FakeVcpu second) = StartTwoInKernelMode();
        int asked = 0;
        first.ActivityWhenAsked = () =>
        {
            first.SetRegister(RegisterName.Rip, 0x100ul + (ulong)Interlocked.Increment(ref asked));
            return BackendActivity.Halted;
        };
        second.Activity = BackendActivity.Halted;

        LookAtTwo(first, second, () => Volatile.Read(ref asked) >= 2);
    }

    private (FakeVcpu First, FakeVcpu Second) StartTwoInKernelMode()
    {
        Use(Options() with { InterruptControllerMode = InterruptControllerMode.Kernel });
        FakeVcpu[] guests = [Start(0), Start(1)];
        Array.ForEach(guests, guest => guest.WhenEmpty = FakeVcpu.Spin);
        return (guests[0], guests[1]);
    }

    /// <summary>Looks until something was seen, while both execute, and expects that the VM is not found halted.</summary>
    private void LookAtTwo(FakeVcpu first, FakeVcpu second, Func<bool> isSeen)
    {
        List<Background> runners = [.. Enumerable.Range(0, 2).Select(id => Background.Start(() =>
            CpuOf(id).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus)))];
        Background.Until(() => first.IsInGuest && second.IsInGuest);
        Machine.LookForHalt();
        Machine.LookForHalt();
        Background.Until(() => (isSeen() && first.IsInGuest && second.IsInGuest) || runners.Exists(runner => runner.IsFinished));

        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Cpu.RequestYield();
        CpuOf(1).RequestYield();
        runners.ForEach(runner => runner.Join());
    }

    [Test]
    public void Vcpu_that_was_started_since_an_earlier_look_does_not_count_as_halted()
    {
        Use(Options() with { InterruptControllerMode = InterruptControllerMode.Kernel });
        FakeVcpu first = Start(0);
        FakeVcpu second = Start(1);
        first.WhenEmpty = FakeVcpu.Spin;
        second.WhenEmpty = FakeVcpu.Spin;
        second.Activity = BackendActivity.Uninitialized;
        List<Background> runners = [.. Enumerable.Range(0, 2).Select(id => Background.Start(() =>
            CpuOf(id).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus)))];
        Background.Until(() => first.IsInGuest && second.IsInGuest);
        Look(1);
        Look(2);
        second.Activity = BackendActivity.Runnable;
        first.Activity = BackendActivity.Halted;
        Look(3);

        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Cpu.RequestYield();
        CpuOf(1).RequestYield();
        runners.ForEach(runner => runner.Join());

        void Look(int number)
        {
            Machine.LookForHalt();
            Background.Until(() => first.Entries >= number && second.Entries >= number && first.IsInGuest && second.IsInGuest);
        }
    }

    [Test]
    [Proves("vcpu_run_state_pending")]
    public void Vcpu_that_is_not_started_sleeps_until_it_is()
    {
        CpuOf(0).Activate();
        FakeVcpu guest = GuestOf(0).ThenPause();
        Cpu.IsRunStatePending.Should().BeTrue();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Pause));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        guest.Entries.Should().Be(0);

        Cpu.SetRunState(VcpuRunState.Run);

        runner.Join();
        Cpu.IsRunStatePending.Should().BeFalse();
    }

    [Test]
    public void Init_and_start_up_interrupt_start_a_vCPU_at_its_page()
    {
        CpuOf(1).Activate();
        FakeVcpu guest = GuestOf(1).ThenPause();
        guest.SetRegister(RegisterName.Rbx, 77);
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default));
        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping);
        CpuOf(1).InjectInit();
        Background.Until(() => CpuOf(1).GetRunState(out _) == VcpuRunState.Init);
        CpuOf(1).InjectSipi(0x9a);
        runner.Join();

        CpuOf(1).GetRunState(out byte vector).Should().Be(VcpuRunState.Init | VcpuRunState.Run);
        vector.Should().Be(0x9a);
        CpuOf(1).GetRegister(RegisterName.Rbx).Should().Be(0, "INIT resets");
        CpuOf(1).GetRegister(RegisterName.Rip).Should().Be(0);
        CpuOf(1).GetRegister(RegisterName.Cs).Should().Be(0x9a00);
        CpuOf(1).GetSegmentDescriptor(RegisterName.Cs).Should()
            .Be(new SegmentDescriptor(0x9a000, 0xffff, new SegmentAccess(0x93)));
    }

    [Test]
    [Proves("vm_inject_init", "vm_inject_sipi")]
    public void Start_up_interrupt_to_a_running_vCPU_is_recorded_until_an_INIT_drops_it()
    {
        Start();
        Cpu.InjectSipi(0x10);
        Cpu.GetRunState(out byte vector).Should().Be(VcpuRunState.Run | VcpuRunState.PendingSipi);
        vector.Should().Be(0x10);

        Cpu.InjectInit();

        Cpu.GetRunState(out _).Should().Be(VcpuRunState.Run | VcpuRunState.PendingInit);
        Cpu.IsRunStatePending.Should().BeTrue();
    }

    [Test]
    public void Init_makes_a_running_vCPU_wait_for_its_start()
    {
        FakeVcpu guest = Start().ThenSpin().ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Pause));
        Background.Until(() => guest.IsInGuest);
        Cpu.InjectInit();
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        Cpu.InjectNmi();
        Cpu.InjectSipi(2);

        runner.Join();
        guest.Entries.Should().Be(2);
        Cpu.GetSegmentDescriptor(RegisterName.Cs).Base.Should().Be(0x2000);
    }

    [Test]
    [Proves("vm_get_run_state", "vm_set_run_state")]
    public void Run_state_with_unknown_bits_is_EINVAL_and_a_pending_INIT_is_accepted()
    {
        Action unknown = () => Cpu.SetRunState((VcpuRunState)4);
        unknown.ShouldFail(VmmError.EINVAL);
        Cpu.SetRunState(VcpuRunState.Run | VcpuRunState.PendingInit, 3);
        Cpu.GetRunState(out byte vector).Should().Be(VcpuRunState.Run | VcpuRunState.PendingInit);
        vector.Should().Be(3);
    }

    [Test]
    public void Waiting_for_a_start_gives_way_to_suspension()
    {
        CpuOf(0).Activate();
        Background runner = Background.Start(() => Run().Suspended.Should().Be(SuspendReason.PowerOff));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

        Machine.Suspend(SuspendReason.PowerOff);

        runner.Join();
    }
}
