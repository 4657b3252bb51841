// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Time;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Creation, activation, suspension from outside, pause and the end of a VM.</summary>
public sealed class LifecycleTests : EngineFixture
{
    [TestCase("")]
    [TestCase(null)]
    [TestCase("a/b")]
    [TestCase("/")]
    public void Bad_name_is_EINVAL(string? name) => Creating(Options(name!)).ShouldFail(VmmError.EINVAL);

    [Test]
    public void Name_has_at_most_127_characters()
    {
        Creating(Options(new string('n', 128))).ShouldFail(VmmError.ENAMETOOLONG);
        Creating(Options(new string('/', 128))).ShouldFail(VmmError.EINVAL, "a slash is looked for first");
        Create(Options(new string('n', 127))).Name.Should().HaveLength(127);
    }

    [Test]
    public void Name_is_one_VMs_until_that_is_disposed()
    {
        VirtualMachineFactory factory = new(Backend);
        VirtualMachine first = factory.Create(Options("one"));
        Action second = () => factory.Create(Options("one"));

        second.ShouldFail(VmmError.EEXIST);
        Use(factory.Create(Options("two")));
        first.Dispose();
        Use(factory.Create(Options("one")));
    }

    [Test]
    public void Name_of_a_VM_that_could_not_be_made_is_free()
    {
        VirtualMachineFactory factory = new(Backend);
        Action refused = () => factory.Create(Options("one") with { MaxMemorySegments = -1 });
        refused.ShouldFail(VmmError.EINVAL);

        Use(factory.Create(Options("one")));
    }

    [Test]
    public void Limits_out_of_range_are_EINVAL()
    {
        Creating(Options() with { MaxCpus = 0 }).ShouldFail(VmmError.EINVAL);
        Creating(Options() with { MaxCpus = 257 }).ShouldFail(VmmError.EINVAL, "the backend has 256");
        Creating(Options() with { MaxMemorySegments = -1 }).ShouldFail(VmmError.EINVAL);
        Creating(Options() with { MaxMemoryMappings = -1 }).ShouldFail(VmmError.EINVAL);
        Creating(Options() with { MaxPortHandlers = -1 }).ShouldFail(VmmError.EINVAL);
        Creating(Options() with { InterruptControllerMode = (InterruptControllerMode)3 }).ShouldFail(VmmError.EINVAL);
        Backend.Machines.Should().BeEmpty("nothing is created for options that are refused");
    }

    [Test]
    public void Vm_whose_chips_find_no_room_is_taken_back()
    {
        VirtualMachineFactory factory = new(Backend);
        Action create = () => factory.Create(Options() with { PlatformChips = true, MaxPortHandlers = 1 });

        create.ShouldFail(VmmError.ENOSPC);

        Backend.Machines.Should().ContainSingle().Which.IsDisposed.Should().BeTrue();
        factory.Create(Options()).Dispose();
    }

    [Test]
    public void Refusal_of_the_hypervisor_passes_and_leaves_nothing_behind()
    {
        Backend.VmRefusal = new VmmException("KVM_CREATE_VM", VmmError.ENXIO, "gone");
        Creating(Options()).ShouldFail(VmmError.ENXIO);
        Backend.VmRefusal = null;
        Backend.CpuidRefusal = new VmmException("cpuid", VmmError.EIO, "no answer");
        Creating(Options()).ShouldFail(VmmError.EIO);

        Backend.Machines.Should().BeEmpty();
    }

    [Test]
    [Proves("vm_create")]
    public void New_VM_has_one_thread_and_nothing_else()
    {
        Machine.Topology.Should().Be(CpuTopology.Single);
        Machine.ActiveVcpus.IsEmpty.Should().BeTrue();
        Machine.SuspendedVcpus.IsEmpty.Should().BeTrue();
        Machine.DebugVcpus.IsEmpty.Should().BeTrue();
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Machine.IsPaused.Should().BeFalse();
        Machine.MemoryMap.TryGetNext(At(0), out _).Should().BeFalse();
        Cpu.GetRunState(out byte vector).Should().Be(VcpuRunState.Halt);
        vector.Should().Be(0);
        Cpu.X2ApicState.Should().Be(X2ApicState.Disabled);
        new VirtualMachineOptions { Name = "defaults" }.Should().BeEquivalentTo(new
        {
            MaxCpus = 32,
            MaxMemorySegments = 5,
            MaxMemoryMappings = 8,
            MaxPortHandlers = 64,
            DetectHalt = true,
        });
    }

    [Test]
    [Proves("vm_apicid2vcpuid")]
    public void Vcpu_numbers_are_bounded()
    {
        CpuOf(3).Id.Should().Be(new VcpuId(3));
        CpuOf(3).Machine.Should().BeSameAs(Machine);
        Action beyond = () => CpuOf(4);
        beyond.ShouldFail(VmmError.EINVAL);
        Action below = () => CpuOf(-1);
        below.ShouldFail(VmmError.EINVAL);
        Machine.ApicIdToVcpuId(77).Should().Be(new VcpuId(77));
    }

    [Test]
    [Proves("vm_get_maxcpus", "vm_get_topology", "vm_set_topology")]
    public void Topology_is_bounded_by_the_vCPUs_and_may_have_zeros()
    {
        Machine.Topology = new CpuTopology(1, 2, 2);
        Action many = () => Machine.Topology = new CpuTopology(5, 1, 1);
        many.ShouldFail(VmmError.EINVAL);
        Action overflowing = () => Machine.Topology = new CpuTopology(65535, 65535, 65535);
        overflowing.ShouldFail(VmmError.EINVAL);
        Machine.Topology.Should().Be(new CpuTopology(1, 2, 2));
        Machine.Topology = new CpuTopology(0, 0, 0);
        Machine.Topology.Total.Should().Be(0);
    }

    [Test]
    [Proves("vm_activate_cpu", "vm_active_cpus")]
    public void Activation_happens_once_and_not_on_a_suspended_VM()
    {
        Cpu.Activate();
        Machine.ActiveVcpus.Should().Equal(new VcpuId(0));
        Activating(0).ShouldFail(VmmError.EBUSY);
        Machine.Suspend(SuspendReason.PowerOff);
        Activating(1).ShouldFail(VmmError.EBUSY);
        Machine.ActiveVcpus.Should().Equal(new VcpuId(0));
    }

    [TestCase(0)]
    [TestCase(5)]
    [TestCase(-1)]
    public void Suspension_wants_a_reason(int reason)
    {
        Action suspend = () => Machine.Suspend((SuspendReason)reason);
        suspend.ShouldFail(VmmError.EINVAL);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
    }

    [Test]
    [Proves("vm_suspend", "vm_suspended_cpus")]
    public void First_reason_to_suspend_stands()
    {
        Start();
        Machine.Suspend(SuspendReason.PowerOff);

        Action again = () => Machine.Suspend(SuspendReason.Reset);
        again.ShouldFail(VmmError.EALREADY);
        Machine.SuspendReason.Should().Be(SuspendReason.PowerOff);
        Machine.SuspendedVcpus.Should().Equal(new VcpuId(0));
        Run().Suspended.Should().Be(SuspendReason.PowerOff);
    }

    [Test]
    [Proves("vm_pause_instance", "vm_resume_instance", "vm_is_paused")]
    public void Pause_and_resume_take_turns()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Action pause = () => Machine.Pause(freeze);
        Action resume = () => Machine.Resume(freeze);

        resume.ShouldFail(VmmError.EALREADY);
        pause.Should().NotThrow();
        Machine.IsPaused.Should().BeTrue();
        pause.ShouldFail(VmmError.EALREADY);
        resume.Should().NotThrow();
        Machine.IsPaused.Should().BeFalse();
    }

    [Test]
    public void Pause_does_not_keep_the_guest_from_running()
    {
        Start().ThenPause();
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Pause(freeze);
        }

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void Pause_keeps_the_guest_from_running_where_that_is_asked_for()
    {
        Use(Options() with { PauseRefusesRuns = true });
        FakeVcpu guest = Start().ThenPause();
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Pause(freeze);
        }

        Action run = () => Run();
        run.ShouldFail(VmmError.EBUSY);
        guest.Entries.Should().Be(0);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Resume(freeze);
        }

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    [Proves("vm_normalize_hrtime", "vm_denormalize_hrtime")]
    public void Times_are_counted_from_boot_and_wrap()
    {
        VmTime time = Machine.Normalize(new HostTime(1_000_000));

        Machine.Denormalize(time).Should().Be(new HostTime(1_000_000));
        Machine.Normalize(Machine.Denormalize(new VmTime(long.MaxValue))).Should().Be(new VmTime(long.MaxValue));
        Machine.Normalize(Machine.Denormalize(new VmTime(long.MinValue))).Should().Be(new VmTime(long.MinValue));
    }

    [Test]
    [Proves("vm_destroy")]
    public void Members_refuse_after_the_end()
    {
        VirtualCpu cpu = Cpu;
        Start();
        Machine.Dispose();

        Action[] uses =
        [
            () => cpu.GetRegister(RegisterName.Rax),
            () => cpu.Run(VmEntry.Default),
            () => cpu.Activate(),
            () => cpu.Acquire(),
            () => cpu.Reset(true),
            () => Machine.FreezeVcpus(),
            () => Machine.Suspend(SuspendReason.Reset),
            () => Machine.SuspendVcpusForDebug(),
            () => Machine.ResumeVcpusFromDebug(),
            () => _ = cpu.ExitData.Length,
        ];
        uses.Should().AllSatisfy(use => use.Should().Throw<ObjectDisposedException>());
        Action again = Machine.Dispose;
        again.Should().NotThrow("a second end does nothing");
        cpu.InjectNmi();
        cpu.Notify();
        Backend.Machines.Should().OnlyContain(machine => machine.IsDisposed);
    }

    [Test]
    public void Owner_that_destroys_the_VM_gets_no_vCPU_of_it_back()
    {
        VirtualCpu cpu = Cpu;
        IDisposable ownership = cpu.Acquire();
        Machine.Dispose();

        Action use = () => cpu.GetRegister(RegisterName.Rax);
        use.Should().Throw<ObjectDisposedException>();
        Action release = ownership.Dispose;
        release.Should().NotThrow();
        Backend.Machines[0].HasVcpu(0).Should().BeFalse();
    }

    [Test]
    public void Destruction_makes_a_vCPU_leave_the_guest_and_waits_for_it()
    {
        FakeVcpu guest = Start().ThenSpin();
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => guest.IsInGuest);

        Machine.Dispose();

        guest.IsDisposed.Should().BeTrue();
        runner.Join();
    }

    [Test]
    public void Destruction_ends_a_thread_that_owns_the_vCPU_and_enters_over_and_over()
    {
        FakeVcpu guest = Start();
        guest.WhenEmpty = FakeVcpu.Spin;
        Background runner = Background.Start(() =>
        {
            using IDisposable ownership = Cpu.Acquire();
            while (true)
            {
                Run();
            }
        });
        Background.Until(() => guest.IsInGuest);

        Machine.Dispose();

        Action join = runner.Join;
        join.Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void Destruction_wakes_a_halted_vCPU()
    {
        Start().ThenHlt(interruptible: true);
        Background runner = Background.Start(() => Run().Code.Should().Be(ExitCode.RequestIdle));
        Background.Until(() => Cpu.GetState(out _) == VcpuState.Sleeping);

        Machine.Dispose();

        runner.Join();
    }

    [Test]
    public void Destruction_while_another_thread_freezes_lets_both_end()
    {
        IDisposable last = CpuOf(3).Acquire();
        Background freezer = Background.Start(() => Machine.FreezeVcpus());
        Background.Until(() => CpuOf(2).GetState(out _) == VcpuState.Frozen && freezer.IsWaiting);
        Background destroyer = Background.Start(Machine.Dispose);
        Background.Until(() => destroyer.IsWaiting);

        last.Dispose();

        Action join = freezer.Join;
        join.Should().Throw<ObjectDisposedException>();
        destroyer.Join();
    }

    [Test]
    public void Handler_cannot_destroy_the_VM_it_is_called_from()
    {
        Start().ThenOut(0x10, 1, 0).ThenPause();
        FakePort port = new()
        {
            During = _ =>
            {
                Action dispose = Machine.Dispose;
                dispose.Should().Throw<InvalidOperationException>();
            },
        };
        using IDisposable attached = Machine.Ports.Attach(0x10, port);

        Run().Code.Should().Be(ExitCode.Pause);
        port.Accesses.Should().ContainSingle();
        Cpu.GetRegister(RegisterName.Rip).Should().Be(2, "the VM is still there");
    }

    [Test]
    public void Disposed_VMs_free_their_memory_and_vCPUs()
    {
        Map(0, Page);
        FakeVcpu guest = Start();

        Machine.Dispose();

        guest.IsDisposed.Should().BeTrue();
        Backend.Blocks[0].Frees.Should().Be(1);
        Backend.IsDisposed.Should().BeFalse("the backend is the caller's");
    }

    private Action Creating(VirtualMachineOptions options) => () => Create(options);

    private Action Activating(int id) => () => CpuOf(id).Activate();
}
