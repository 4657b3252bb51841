// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>All vCPUs at once: who has the token, and for what it is good.</summary>
public sealed class VcpuFreezeTests : EngineFixture
{
    [Test]
    public void Token_is_given_back_by_the_thread_that_froze_even_when_another_one_has_tried()
    {
        IVcpuFreeze freeze = Machine.FreezeVcpus();
        Action other = Background.Start(freeze.Dispose).Join;

        other.Should().Throw<InvalidOperationException>();
        Cpu.GetState(out _).Should().Be(VcpuState.Frozen);
        freeze.Dispose();
        Enumerable.Range(0, 4).Select(id => CpuOf(id).GetState(out _)).Should().OnlyContain(state => state == VcpuState.Idle);
    }

    [Test]
    public void Token_of_another_thread_changes_nothing()
    {
        Map(0, Page);
        using IVcpuFreeze freeze = Machine.FreezeVcpus();

        Action other = Background.Start(() => Machine.MemoryMap.Unmap(freeze, At(0), Page)).Join;

        other.Should().Throw<InvalidOperationException>();
        Machine.MemoryMap.IsAllocated(At(0)).Should().BeTrue();
    }

    [Test]
    public void Thread_that_has_frozen_the_vCPUs_runs_none_of_them()
    {
        FakeVcpu guest = Start().ThenPause();
        IVcpuFreeze outer = Machine.FreezeVcpus();
        Machine.FreezeVcpus().Dispose();
        Action run = () => Run();

        run.Should().Throw<InvalidOperationException>("the inner token is not the last one");
        guest.Entries.Should().Be(0);
        outer.Dispose();
        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Freezes_of_one_thread_nest_and_two_threads_take_turns()
    {
        IVcpuFreeze outer = Machine.FreezeVcpus();
        Machine.FreezeVcpus().Dispose();
        bool taken = false;
        Background other = Background.Start(() =>
        {
            using IVcpuFreeze freeze = Machine.FreezeVcpus();
            Volatile.Write(ref taken, true);
        });
        Background.Until(() => other.IsWaiting);
        Volatile.Read(ref taken).Should().BeFalse();

        outer.Dispose();

        other.Join();
        taken.Should().BeTrue();
    }

    [Test]
    public void Token_does_not_change_the_map_of_another_VM()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Action map = () => Create(Options("other")).MemoryMap.AllocateSegment(freeze, new SegmentId(0), Page, true);

        map.Should().Throw<InvalidOperationException>();
    }

    [Test]
    public void Destruction_reaches_whoever_holds_one_vCPU_and_waits_for_another()
    {
        VirtualMachine machine = Machine;
        using IDisposable held = CpuOf(3).Acquire();
        Background freezer = Background.Start(() =>
        {
            Action freeze = () => machine.FreezeVcpus();
            freeze.Should().Throw<ObjectDisposedException>();
        });
        Background.Until(() => freezer.IsWaiting && CpuOf(2).GetState(out _) == VcpuState.Frozen);

        Background destroyer = Background.Start(machine.Dispose);

        freezer.Join();
        held.Dispose();
        destroyer.Join();
    }
}
