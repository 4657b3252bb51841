// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Who has a vCPU, and how others get it.</summary>
public sealed class VcpuOwnershipTests : EngineFixture
{
    [Test]
    [Proves("vcpu_get_state", "vcpu_is_running")]
    public void State_follows_who_has_the_vCPU()
    {
        List<(VcpuState State, bool Running, bool HasHostCpu)> seen = [];
        void Look() => seen.Add((Cpu.GetState(out int host), Cpu.IsRunning, host >= 0));
        FakeVcpu guest = Start();
        guest.ThenDo(Look).ThenPause();
        Look();
        using (Cpu.Acquire())
        {
            Look();
            Run();
            Look();
        }

        Look();
        seen.Should().Equal(
            (VcpuState.Idle, false, false),
            (VcpuState.Frozen, false, false),
            (VcpuState.Running, true, true),
            (VcpuState.Frozen, false, false),
            (VcpuState.Idle, false, false));
    }

    [Test]
    public void Handler_runs_while_the_vCPU_is_frozen()
    {
        VcpuState seen = default;
        Machine.Ports.Attach(0x10, new FakePort { During = cpu => seen = cpu.GetState(out _) });
        Start().ThenOut(0x10, 1, 0).ThenPause();

        Run();

        seen.Should().Be(VcpuState.Frozen);
    }

    [Test]
    public void Ownership_nests_and_disposing_one_level_twice_counts_once()
    {
        IDisposable outer = Cpu.Acquire();
        IDisposable inner = Cpu.Acquire();
        inner.Dispose();
        inner.Dispose();
        Cpu.GetState(out _).Should().Be(VcpuState.Frozen);

        outer.Dispose();

        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Ownership_is_given_back_by_the_thread_that_took_it_even_when_another_one_has_tried()
    {
        IDisposable ownership = Cpu.Acquire();
        Action other = Background.Start(ownership.Dispose).Join;

        other.Should().Throw<InvalidOperationException>();
        Cpu.GetState(out _).Should().Be(VcpuState.Frozen);
        ownership.Dispose();
        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Ownership_of_one_thread_is_not_given_back_by_the_present_owner()
    {
        IDisposable first = Cpu.Acquire();
        Background.Start(() =>
        {
            using IDisposable second = CpuOf(1).Acquire();
            first.Invoking(ownership => ownership.Dispose()).Should().Throw<InvalidOperationException>();
        }).Join();

        first.Dispose();
        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Interrupted_waiter_leaves_the_vCPU_to_those_behind_and_before()
    {
        IDisposable owned = Cpu.Acquire();
        List<int> order = [];
        List<int> gaveUp = [];
        Thread[] waiters = [.. Enumerable.Range(0, 5).Select(number => new Thread(() =>
        {
            try
            {
                using IDisposable taken = Cpu.Acquire();
                order.Add(number);
            }
            catch (ThreadInterruptedException)
            {
                gaveUp.Add(number);
            }
        })
        { IsBackground = true })];
        foreach (Thread waiter in waiters)
        {
            waiter.Start();
            Background.Until(() => waiter.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
        }

        foreach (int number in (int[])[3, 2, 0])
        {
            waiters[number].Interrupt();
            waiters[number].Join();
        }

        owned.Dispose();

        Background.Until(() => waiters.All(waiter => !waiter.IsAlive));
        gaveUp.Should().Equal(3, 2, 0);
        order.Should().Equal(1, 4);
        Background.Start(() => Cpu.Acquire().Dispose()).Join();
    }

    [Test]
    public void Last_waiter_that_gives_up_takes_its_request_back()
    {
        Start().ThenPause();
        IDisposable owned = Cpu.Acquire();
        Thread waiter = new(() => ((Action)(() => Cpu.Acquire())).Should().Throw<ThreadInterruptedException>()) { IsBackground = true };
        waiter.Start();
        Background.Until(() => waiter.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
        waiter.Interrupt();
        waiter.Join();

        Run().Code.Should().Be(ExitCode.Pause, "nobody wants the vCPU any more");
        owned.Dispose();
    }

    [Test]
    public void Interrupted_destruction_comes_to_its_end()
    {
        VirtualMachine machine = Machine;
        IDisposable owned = Cpu.Acquire();
        bool isInterrupted = false;
        Thread destroyer = new(() =>
        {
            machine.Dispose();
            try
            {
                Thread.CurrentThread.Join();
            }
            catch (ThreadInterruptedException)
            {
                isInterrupted = true;
            }
        })
        { IsBackground = true };
        destroyer.Start();
        Background.Until(() => machine.IsDisposed && destroyer.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
        destroyer.Interrupt();
        FakeVm host = (FakeVm)machine.BackendVm;
        host.IsDisposed.Should().BeFalse("somebody has a vCPU");

        owned.Dispose();

        destroyer.Join();
        host.IsDisposed.Should().BeTrue();
        isInterrupted.Should().BeTrue("the interruption comes at the next wait");
    }

    [Test]
    public void By_hand_only_what_was_taken_by_hand_is_given_back()
    {
        Action giveBack = () => Cpu.SetState(VcpuState.Idle, fromIdle: false);
        using (Cpu.Acquire())
        {
            giveBack.ShouldFail(VmmError.EBUSY);
        }

        using (Machine.FreezeVcpus())
        {
            giveBack.ShouldFail(VmmError.EBUSY);
            Cpu.SetState(VcpuState.Frozen, fromIdle: true);
            giveBack.Should().NotThrow();
            giveBack.ShouldFail(VmmError.EBUSY);
            Cpu.GetState(out _).Should().Be(VcpuState.Frozen);
        }

        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void Waiters_get_the_vCPU_in_the_order_in_which_they_came()
    {
        IDisposable first = Cpu.Acquire();
        List<int> order = [];
        List<Background> waiters = [];
        for (int i = 0; i < 4; i++)
        {
            int number = i;
            Background waiter = Background.Start(() =>
            {
                using (Cpu.Acquire())
                {
                    order.Add(number);
                }
            });
            waiters.Add(waiter);
            Background.Until(() => waiter.IsWaiting);
        }

        first.Dispose();

        waiters.ForEach(waiter => waiter.Join());
        order.Should().Equal(0, 1, 2, 3);
    }

    [Test]
    public void Whoever_wants_a_vCPU_makes_it_leave_the_guest_with_RequestIdle()
    {
        FakeVcpu guest = Start().ThenSpin().ThenPause();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => guest.IsInGuest);

        using (Cpu.Acquire())
        {
            Cpu.GetRegister(RegisterName.Rax).Should().Be(0);
        }

        runner.Join();
        Cpu.Counters.RequestIdleExits.Should().Be(1);
        Run().Code.Should().Be(ExitCode.Pause, "the request was for one exit");
    }

    [Test]
    public void Register_access_from_another_thread_is_between_two_entries()
    {
        FakeVcpu guest = Start();
        guest.WhenEmpty = FakeVcpu.Spin;
        using ManualResetEventSlim stop = new();
        Background runner = Background.Start(() =>
        {
            while (!stop.IsSet)
            {
                Run();
            }
        });
        for (ulong i = 0; i < 20; i++)
        {
            Cpu.SetRegister(RegisterName.Rbx, i);
            Cpu.GetRegister(RegisterName.Rbx).Should().Be(i);
        }

        stop.Set();
        Cpu.RequestYield();
        runner.Join();
    }

    [Test]
    public void Freeze_takes_every_vCPU_and_gives_them_back_once()
    {
        FakeVcpu guest = Start().ThenSpin();
        Background runner = Background.Start(() => Run());
        Background.Until(() => guest.IsInGuest);

        IVcpuFreeze freeze = Machine.FreezeVcpus();
        runner.Join();
        freeze.Machine.Should().BeSameAs(Machine);
        Enumerable.Range(0, 4).Select(id => CpuOf(id).GetState(out _)).Should().OnlyContain(state => state == VcpuState.Frozen);
        freeze.Dispose();
        freeze.Dispose();

        Enumerable.Range(0, 4).Select(id => CpuOf(id).GetState(out _)).Should().OnlyContain(state => state == VcpuState.Idle);
    }

    [TestCase(VcpuState.Idle, VcpuState.Running)]
    [TestCase(VcpuState.Idle, VcpuState.Sleeping)]
    [TestCase(VcpuState.Idle, VcpuState.Idle)]
    [TestCase(VcpuState.Running, VcpuState.Idle)]
    [TestCase(VcpuState.Running, VcpuState.Sleeping)]
    [TestCase(VcpuState.Sleeping, VcpuState.Running)]
    [TestCase(VcpuState.Sleeping, VcpuState.Idle)]
    [TestCase(VcpuState.Frozen, VcpuState.Frozen)]
    [Proves("vcpu_set_state")]
    public void Transition_that_does_not_exist_is_EBUSY(VcpuState from, VcpuState to)
    {
        if (from != VcpuState.Idle)
        {
            Cpu.SetState(VcpuState.Frozen, fromIdle: true);
        }

        if (from is VcpuState.Running or VcpuState.Sleeping)
        {
            Cpu.SetState(from, fromIdle: false);
        }

        Action change = () => Cpu.SetState(to, fromIdle: false);

        change.ShouldFail(VmmError.EBUSY);
        Cpu.GetState(out _).Should().Be(from);
        if (from is VcpuState.Running or VcpuState.Sleeping)
        {
            Cpu.SetState(VcpuState.Frozen, fromIdle: false);
        }
    }

    [Test]
    public void Transitions_by_hand_go_to_and_from_frozen()
    {
        Cpu.SetState(VcpuState.Frozen, fromIdle: true);
        Cpu.SetState(VcpuState.Running, fromIdle: false);
        Cpu.SetState(VcpuState.Frozen, fromIdle: false);
        Cpu.SetState(VcpuState.Sleeping, fromIdle: false);
        Cpu.SetState(VcpuState.Frozen, fromIdle: false);
        Cpu.SetState(VcpuState.Idle, fromIdle: false);
        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [TestCase(VcpuState.Idle)]
    [TestCase(VcpuState.Running)]
    [TestCase(VcpuState.Sleeping)]
    public void From_idle_leads_to_frozen_only(VcpuState state)
    {
        Action change = () => Cpu.SetState(state, fromIdle: true);

        change.ShouldFail(VmmError.EBUSY);
        Cpu.GetState(out _).Should().Be(VcpuState.Idle);
    }

    [Test]
    public void From_idle_waits_for_another_owner()
    {
        FakeVcpu guest = Start().ThenSpin();
        Background runner = Background.Start(() => Run());
        Background.Until(() => guest.IsInGuest);

        Cpu.SetState(VcpuState.Frozen, fromIdle: true);

        runner.Join();
        Cpu.SetState(VcpuState.Idle, fromIdle: false);
    }
}
