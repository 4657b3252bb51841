// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Getting a vCPU's attention: yields, blocks, debug stops, suspension; and that none is lost.</summary>
public sealed class NotificationTests : EngineFixture
{
    [Test]
    [Proves("vcpu_should_yield")]
    public void Yield_before_a_run_ends_that_run_once()
    {
        FakeVcpu guest = Start().ThenPause();
        Cpu.RequestYield();
        Cpu.RequestYield();
        Cpu.ShouldYield.Should().BeTrue();

        Run().Code.Should().Be(ExitCode.Bogus);

        Cpu.ShouldYield.Should().BeFalse();
        guest.Entries.Should().Be(0);
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Yield_makes_a_spinning_guest_leave()
    {
        FakeVcpu guest = Start().ThenSpin();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => guest.IsInGuest);

        Cpu.RequestYield();

        runner.Join();
        Cpu.Counters.Kicks.Should().Be(1);
    }

    [Test]
    public void Yield_wakes_a_halted_guest_which_goes_on_waiting_afterwards()
    {
        FakeVcpu guest = Start().ThenHlt(interruptible: true).ThenPause();
        for (int i = 0; i < 3; i++)
        {
            Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
            Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
            Cpu.RequestYield();
            runner.Join();
        }

        guest.Entries.Should().Be(1, "a guest in HLT is not entered without an event");
        Cpu.InjectNmi();
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Every_notification_of_many_threads_is_seen()
    {
        const int Threads = 4;
        const int Each = 200;
        FakeVcpu guest = Start();
        guest.WhenEmpty = FakeVcpu.Spin;
        int seen = 0;
        Background runner = Background.Start(() =>
        {
            while (Volatile.Read(ref seen) < Threads * Each)
            {
                Run().Code.Should().Be(ExitCode.Bogus);
                Interlocked.Increment(ref seen);
            }
        });
        object turn = new();
        List<Background> senders = [];
        for (int i = 0; i < Threads; i++)
        {
            senders.Add(Background.Start(() =>
            {
                for (int j = 0; j < Each; j++)
                {
                    lock (turn)
                    {
                        int before = Volatile.Read(ref seen);
                        Cpu.RequestYield();
                        Background.Until(() => Volatile.Read(ref seen) > before);
                    }
                }
            }));
        }

        senders.ForEach(sender => sender.Join());
        runner.Join();
        seen.Should().Be(Threads * Each);
    }

    [Test]
    [Proves("vcpu_notify_event", "vcpu_notify_event_type")]
    public void Notification_of_no_kind_does_nothing_and_others_make_the_guest_leave()
    {
        FakeVcpu guest = Start().ThenSpin().ThenSpin().ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Pause));
        Background.Until(() => guest.IsInGuest && guest.Entries == 1);
        Cpu.Notify(VcpuNotification.None);
        Cpu.Notify(VcpuNotification.Apic);
        Background.Until(() => guest.IsInGuest && guest.Entries == 2);
        Cpu.Notify(VcpuNotification.Exit);
        runner.Join();

        Cpu.Counters.Kicks.Should().Be(2);
    }

    [Test]
    [Proves("vcpu_block_run", "vcpu_unblock_run")]
    public void Block_keeps_the_guest_out_until_the_last_one_is_gone()
    {
        FakeVcpu guest = Start().ThenPause();
        IDisposable first = Cpu.BlockRun();
        IDisposable second = Cpu.BlockRun();
        Run().Code.Should().Be(ExitCode.RequestIdle);
        first.Dispose();
        first.Dispose();
        Run().Code.Should().Be(ExitCode.RequestIdle, "a block is taken away once");
        guest.Entries.Should().Be(0);

        second.Dispose();

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Block_makes_a_spinning_and_a_halted_guest_leave()
    {
        FakeVcpu guest = Start().ThenSpin().ThenHlt(interruptible: true);
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => guest.IsInGuest);
        IDisposable block = Cpu.BlockRun();
        runner.Join();
        block.Dispose();
        runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);
        using (Cpu.BlockRun())
        {
            runner.Join();
        }
    }

    [Test]
    [Proves("vm_suspend_cpu", "vm_resume_cpu")]
    public void Debug_stop_needs_an_active_vCPU_and_resuming_a_stopped_one()
    {
        Action stop = Cpu.SuspendForDebug;
        Action resume = Cpu.ResumeFromDebug;

        stop.ShouldFail(VmmError.EINVAL);
        resume.ShouldFail(VmmError.EINVAL);
        Start();
        resume.ShouldFail(VmmError.EINVAL);
        stop.Should().NotThrow();
        Machine.DebugVcpus.Should().Equal(new VcpuId(0));
        resume.Should().NotThrow();
        Machine.DebugVcpus.IsEmpty.Should().BeTrue();
    }

    [Test]
    public void Stopped_vCPU_leaves_the_guest_and_is_not_entered_until_resumed()
    {
        FakeVcpu guest = Start().ThenSpin().ThenPause();
        guest.GeneralRegisters = new GeneralRegisters { Rip = 0x1234, Rflags = 2 };
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Debug));
        Background.Until(() => guest.IsInGuest);

        Cpu.SuspendForDebug();

        runner.Join();
        VmExit again = Run();
        again.Code.Should().Be(ExitCode.Debug);
        again.Rip.Should().Be(0x1234);
        again.InstructionLength.Should().Be(0);
        guest.Entries.Should().Be(1);
        Cpu.ResumeFromDebug();
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    [Proves("vm_debug_cpus")]
    public void Stopping_all_stops_the_active_ones()
    {
        Start(1);
        Start(3);

        Machine.SuspendVcpusForDebug();

        Machine.DebugVcpus.Should().Equal(new VcpuId(1), new VcpuId(3));
        CpuOf(3).Run(VmEntry.Default).Code.Should().Be(ExitCode.Debug);
        Machine.ResumeVcpusFromDebug();
        Machine.DebugVcpus.IsEmpty.Should().BeTrue();
    }

    [Test]
    public void Debug_stop_of_another_vCPU_does_not_wake_a_halted_one()
    {
        FakeVcpu guest = Start().ThenHlt(interruptible: true).ThenPause();
        Start(1);
        CpuOf(1).SuspendForDebug();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.Bogus));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping || runner.IsFinished);

        Cpu.RequestYield();

        runner.Join();
        guest.Entries.Should().Be(1);
    }

    [Test]
    public void Debug_stop_of_another_vCPU_lets_one_that_is_not_started_sleep()
    {
        CpuOf(1).Activate();
        Start();
        Cpu.SuspendForDebug();
        Background runner = Background.Start(() => CpuOf(1).Run(VmEntry.Default).Code.Should().Be(ExitCode.Bogus));

        Background.Until(() => CpuOf(1).GetState(out _) == VcpuState.Sleeping && runner.IsWaiting);
        CpuOf(1).RequestYield();

        runner.Join();
    }

    [Test]
    [Proves("vcpu_entry_bailout_checks")]
    public void Later_reasons_to_leave_overwrite_earlier_ones_and_none_enters()
    {
        FakeVcpu guest = Start().ThenPause();
        IDisposable block = Cpu.BlockRun();
        Cpu.RequestYield();
        Cpu.SuspendForDebug();
        Run().Code.Should().Be(ExitCode.Debug);
        Cpu.ResumeFromDebug();
        Cpu.RequestYield();
        Run().Code.Should().Be(ExitCode.Bogus);
        Run().Code.Should().Be(ExitCode.RequestIdle);
        block.Dispose();
        guest.Entries.Should().Be(0);
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Suspension_gathers_every_active_vCPU_before_any_returns()
    {
        FakeVcpu first = Start(0).ThenSpin();
        Start(1).ThenHlt(interruptible: true);
        FakeVcpu third = Start(2).ThenSpin();
        using ManualResetEventSlim hold = new();
        third.Then((FakeVcpu _, ref VmExit _) => throw new InvalidOperationException("never entered again"));
        Machine.Ports.Attach(0x10, new FakePort { During = _ => hold.Wait() });
        FakeVcpu fourth = Start(3).ThenOut(0x10, 1, 0);
        int returned = 0;
        List<Background> runners = [.. Enumerable.Range(0, 4).Select(id => Background.Start(() =>
        {
            CpuOf(id).Run(VmEntry.Default).Suspended.Should().Be(SuspendReason.Reset);
            Interlocked.Increment(ref returned);
        }))];
        Background.Until(() => first.IsInGuest && third.IsInGuest && CpuOf(1).GetState(out _) == VcpuState.Sleeping
            && runners[3].IsWaiting && fourth.Entries == 1);

        Machine.Suspend(SuspendReason.Reset);
        Background.Until(() => Machine.SuspendedVcpus.Count == 3);
        Volatile.Read(ref returned).Should().Be(0, "one vCPU is still in a handler");
        hold.Set();

        runners.ForEach(runner => runner.Join());
        Machine.SuspendedVcpus.Count.Should().Be(4);
        Cpu.Times.Init.Should().BePositive("waiting for the others counts as Init");
    }

    [Test]
    public void Waiting_for_a_suspension_gives_way_to_whoever_wants_the_vCPU()
    {
        using ManualResetEventSlim hold = new();
        Machine.Ports.Attach(0x10, new FakePort { During = _ => hold.Wait() });
        Start(1).ThenOut(0x10, 1, 0);
        FakeVcpu guest = Start(0).ThenSpin();
        Background holder = Background.Start(() => CpuOf(1).Run(VmEntry.Default));
        Background.Until(() => holder.IsWaiting && CpuOf(1).Counters.PortExits == 1);
        Background waiter = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => guest.IsInGuest);
        Machine.Suspend(SuspendReason.PowerOff);
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

        Cpu.GetRegister(RegisterName.Rip).Should().Be(0);

        waiter.Join();
        hold.Set();
        holder.Join();
        Run().Suspended.Should().Be(SuspendReason.PowerOff);
    }

    [Test]
    public void Concurrent_suspensions_have_one_winner()
    {
        using Barrier start = new(4);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        int winners = 0;
        List<Background> callers = [.. Enumerable.Range(1, 4).Select(reason => Background.Start(() =>
        {
            start.SignalAndWait();
            try
            {
                Machine.Suspend((SuspendReason)reason);
                Interlocked.Increment(ref winners);
            }
            catch (VmmException exception) when (exception.Error == VmmError.EALREADY)
            {
                Machine.SuspendReason.Should().NotBe(SuspendReason.None);
            }
        }))];

        callers.ForEach(caller => caller.Join());
        winners.Should().Be(1);
    }
}
