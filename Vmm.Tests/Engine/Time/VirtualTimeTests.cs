// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Concurrent;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Time;
using Vmm.Emulation.Timers;
using Vmm.Engine;
using Vmm.Engine.Time;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Time;

/// <summary>A VM's time on the host's clock, and who runs its deadlines.</summary>
public sealed class VirtualTimeTests : EngineFixture
{
    private VirtualMachine Timed => Create(Options("timed") with { PlatformChips = true });

    [Test]
    public void Deadline_of_a_VM_that_does_not_run_is_run_by_the_timer_thread()
    {
        VirtualTime time = Timed.Time;
        Recorder recorder = new();
        Deadline deadline = time.Deadlines.Create(recorder, 0);

        long due = time.Now + 1_000_000;
        time.Deadlines.Arm(deadline, due);

        Background.Until(() => !recorder.Times.IsEmpty);
        recorder.Times.Should().ContainSingle().Which.Should().BeGreaterThanOrEqualTo(due);
    }

    [Test]
    public void Guest_that_asks_for_every_nanosecond_gets_the_minimum_interval_and_then_longer_ones()
    {
        VirtualTime time = Timed.Time;
        Recorder recorder = new() { Runs = 6 };
        recorder.Again = time.Deadlines.Create(recorder, 0);

        time.Deadlines.Arm(recorder.Again, 1);

        Background.Until(() => recorder.Times.Count == 6);
        long[] times = [.. recorder.Times];
        long[] gaps = [.. times.Zip(times.Skip(1), (first, second) => second - first)];
        gaps.Should().OnlyContain(gap => gap >= VirtualTime.MinimumInterval);
        gaps[^1].Should().BeGreaterThanOrEqualTo(VirtualTime.LongestInterval, "it would come to nothing but its timer");
    }

    [Test]
    public void Deadline_is_run_before_an_entry()
    {
        VirtualMachine machine = Use(Options("entered") with { PlatformChips = true });
        FakeVcpu guest = Start();
        Recorder recorder = new();
        Deadline deadline = machine.Time.Deadlines.Create(recorder, 0);
        guest.ThenDo(() => machine.Time.Deadlines.Arm(deadline, 1)).ThenPause();

        Run();

        Background.Until(() => !recorder.Times.IsEmpty);
        recorder.Times.Should().ContainSingle();
    }

    [Test]
    public void Time_stands_still_while_the_VM_is_paused()
    {
        VirtualMachine machine = Timed;
        HostTime before = machine.Denormalize(default);
        long paused;
        using (IVcpuFreeze freeze = machine.FreezeVcpus())
        {
            machine.Pause(freeze);
            paused = machine.Time.Now;
            machine.Time.Now.Should().Be(paused);
            machine.Resume(freeze);
        }

        machine.Time.Now.Should().BeGreaterThanOrEqualTo(paused);
        machine.Denormalize(default).Nanoseconds.Should().BeGreaterThan(before.Nanoseconds, "boot moves by the pause");
        machine.Normalize(machine.Denormalize(new VmTime(5))).Nanoseconds.Should().Be(5);
    }

    [Test]
    public void Paused_VM_is_not_run()
    {
        VirtualMachine machine = Timed;
        Recorder recorder = new();
        Deadline deadline = machine.Time.Deadlines.Create(recorder, 0);
        using IVcpuFreeze freeze = machine.FreezeVcpus();
        machine.Pause(freeze);

        machine.Time.Deadlines.Arm(deadline, 1);
        machine.Time.RunFromHostTimer();

        recorder.Times.Should().BeEmpty();
        machine.Resume(freeze);
        Background.Until(() => !recorder.Times.IsEmpty);
    }

    [Test]
    public void Disposed_VM_is_not_run()
    {
        VirtualMachine machine = Timed;
        VirtualTime time = machine.Time;
        Recorder recorder = new();
        Deadline deadline = time.Deadlines.Create(recorder, 0);
        machine.Dispose();

        time.Deadlines.Arm(deadline, 1);
        time.RunFromHostTimer();

        recorder.Times.Should().BeEmpty();
    }

    [Test]
    public void Clock_turned_by_hand_is_the_VMs_time()
    {
        ManualClock clock = new(now: 7);
        VirtualMachine machine = Use(new VirtualMachineFactory(Backend).Create(Options("by hand") with { PlatformChips = true }, clock));
        uint first = 0;
        uint second = 0;
        machine.PmTimer.Locate(0x608);
        machine.Ports.Access(Cpu, isIn: true, 0x608, 4, ref first);

        clock.Advance(1_000_000_000);
        machine.Ports.Access(Cpu, isIn: true, 0x608, 4, ref second);

        machine.Time.Now.Should().Be(1_000_000_007);
        (second - first).Should().Be(PmTimer.Frequency);
        machine.Normalize(new HostTime(9)).Nanoseconds.Should().Be(9);
    }

    private sealed class Recorder : IDeadlineHandler
    {
        public ConcurrentQueue<long> Times { get; } = [];

        public Deadline? Again { get; set; }

        public int Runs { get; init; } = 1;

        public void DeadlineReached(int timer, long now)
        {
            Times.Enqueue(now);
            if (Times.Count < Runs)
            {
                Again!.Queue.Arm(Again, 1);
            }
        }
    }
}
