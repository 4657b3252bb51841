// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Serilog.Core;
using Serilog.Events;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>What a reset of the whole VM keeps, what it drops and when it is refused.</summary>
public sealed class ReinitializeTests : EngineFixture
{
    [Test]
    public void Vm_without_active_vCPUs_is_reset_at_once()
    {
        Reinitialize();

        Backend.Machines.Should().HaveCount(2);
        Backend.Machines[0].IsDisposed.Should().BeTrue();
    }

    [Test]
    [Proves("vm_reinit")]
    public void Active_vCPU_that_is_not_suspended_is_EBUSY_unless_forced()
    {
        Start();
        Reinitializing().ShouldFail(VmmError.EBUSY);
        Reinitializing((ReinitializeFlags)2).ShouldFail(VmmError.EBUSY, "other flags mean nothing");
        Machine.SuspendReason.Should().Be(SuspendReason.None, "a refusal changes nothing");

        Reinitialize(ReinitializeFlags.ForceSuspend);

        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Machine.ActiveVcpus.IsEmpty.Should().BeTrue();
    }

    [Test]
    public void Suspended_VM_is_reset_without_force()
    {
        Start();
        Start(1);
        Machine.Suspend(SuspendReason.Reset);

        Reinitialize();

        Machine.SuspendedVcpus.IsEmpty.Should().BeTrue();
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Action activate = Cpu.Activate;
        activate.Should().NotThrow();
    }

    [Test]
    public void Refused_run_of_an_inactive_vCPU_does_not_keep_a_suspended_VM_from_its_reset()
    {
        Start();
        Machine.Suspend(SuspendReason.Reset);
        Action run = () => CpuOf(2).Run(VmEntry.Default);
        run.ShouldFail(VmmError.EINVAL);

        Machine.SuspendedVcpus.Should().Equal(new VcpuId(0));
        Reinitializing().Should().NotThrow();
    }

    [Test]
    [Proves("vm_ioport_unhook")]
    public void Hook_of_an_external_driver_is_EBUSY_even_when_forced()
    {
        IDisposable hook = Machine.Ports.Hook(0x1f0, new FakePort());
        Reinitializing(ReinitializeFlags.ForceSuspend).ShouldFail(VmmError.EBUSY);

        hook.Dispose();

        Reinitializing().Should().NotThrow();
    }

    [Test]
    public void Foreign_or_released_token_is_refused()
    {
        IVcpuFreeze released = Machine.FreezeVcpus();
        released.Dispose();
        Action stale = () => Machine.Reinitialize(released);
        stale.Should().Throw<InvalidOperationException>();
        using IVcpuFreeze foreign = Create(Options("other")).FreezeVcpus();
        Action other = () => Machine.Reinitialize(foreign);
        other.Should().Throw<InvalidOperationException>();
    }

    [Test]
    [Proves("vm_cpuid_config", "vm_get_cpuid")]
    public void Ram_its_mappings_segments_handlers_cpuid_topology_and_pause_are_kept()
    {
        Map(0, Page, 0);
        Map(0xf0000, Page, 1, MemoryProtection.ReadExecute, isRam: false);
        Machine.Memory.TryWrite(At(8), [1, 2, 3]).Should().BeTrue();
        CpuidConfiguration cpuid = CpuidConfiguration.Create(CpuidFlags.None, [new(7, 0, true, 1, 2, 3, 4)]);
        Cpu.Cpuid = cpuid;
        Machine.Topology = new CpuTopology(1, 4, 1);
        FakePort port = new();
        Machine.Ports.Attach(0x10, port);
        using (IVcpuFreeze freeze = Machine.FreezeVcpus())
        {
            Machine.Pause(freeze);
        }

        Reinitialize();

        byte[] bytes = new byte[3];
        Machine.Memory.TryRead(At(8), bytes).Should().BeTrue();
        bytes.Should().Equal(1, 2, 3);
        FakeVm host = Backend.Machines[1];
        host.Placements.Should().ContainSingle().Which.Range.Start.Should().Be(At(0));
        Machine.MemoryMap.IsAllocated(At(0xf0000)).Should().BeFalse("mappings of device memory go");
        Machine.MemoryMap.GetSegment(new SegmentId(1)).Length.Should().Be(Page, "their segments stay");
        Cpu.Cpuid.Should().BeSameAs(cpuid);
        Machine.Topology.Cores.Should().Be(4);
        Machine.IsPaused.Should().BeTrue();
        Start().ThenOut(0x10, 1, 5).ThenPause();
        host.Vcpu(0).Cpuid.Should().Equal(cpuid.Entries);
        Run();
        port.Accesses.Should().ContainSingle();
    }

    [Test]
    public void Unmapped_device_memory_can_be_mapped_and_freed_afterwards()
    {
        Map(0xf0000, Page, 1, MemoryProtection.ReadExecute, isRam: false);
        Reinitialize();
        using IVcpuFreeze freeze = Machine.FreezeVcpus();

        Machine.MemoryMap.Map(freeze, Mapping(0xe0000, Page, 1));
        Machine.MemoryMap.Unmap(freeze, At(0xe0000), Page);
        Machine.MemoryMap.FreeSegment(freeze, new SegmentId(1));

        Backend.Blocks[0].Frees.Should().Be(1);
    }

    [Test]
    public void Vcpu_state_events_and_sets_are_dropped()
    {
        FakeVcpu before = Start().ThenIn(0x99, 1);
        Run().Code.Should().Be(ExitCode.Inout);
        Cpu.InjectNmi();
        Cpu.InjectExternalInterrupt();
        Cpu.Inject(GuestException.InvalidOpcode());
        Cpu.SetExitEvent(EventInformation.Create(EventType.HardwareInterrupt, 0x30));
        Cpu.SetRunState(VcpuRunState.Run | VcpuRunState.PendingSipi, 0x12);
        Machine.SuspendVcpusForDebug();

        Reinitialize(ReinitializeFlags.ForceSuspend);

        before.IsDisposed.Should().BeTrue();
        Cpu.Pending.Should().Be(PendingOperation.None);
        Cpu.Exit.Code.Should().Be(default(ExitCode));
        Cpu.IsNmiPending.Should().BeFalse();
        Cpu.IsExternalInterruptPending.Should().BeFalse();
        Cpu.GetPendingEvents().Should().Be((EventInformation.None, EventInformation.None));
        Cpu.GetRunState(out byte vector).Should().Be(VcpuRunState.Halt);
        vector.Should().Be(0);
        Machine.DebugVcpus.IsEmpty.Should().BeTrue();
        Action run = () => Run();
        run.ShouldFail(VmmError.EINVAL, "every vCPU must be activated again");
    }

    [Test]
    public void Halt_from_before_does_not_count_afterwards()
    {
        Start().ThenHlt(interruptible: false);
        Run().Suspended.Should().Be(SuspendReason.Halt);
        Reinitialize();

        Start().ThenPause();

        Run().Code.Should().Be(ExitCode.Pause);
    }

    [Test]
    public void X2apic_can_be_chosen_again_before_the_first_run_after_a_reset()
    {
        Start().ThenPause();
        Cpu.X2ApicState = X2ApicState.Enabled;
        Run();
        Action change = () => Cpu.X2ApicState = X2ApicState.Enabled;
        change.ShouldFail(VmmError.EBUSY);

        Reinitialize(ReinitializeFlags.ForceSuspend);

        Cpu.X2ApicState.Should().Be(X2ApicState.Disabled);
        change.Should().NotThrow();
        Cpu.X2ApicState.Should().Be(X2ApicState.Enabled);
    }

    [Test]
    public void Boot_time_begins_anew()
    {
        long before = Machine.Denormalize(default).Nanoseconds;

        Reinitialize();

        Machine.Denormalize(default).Nanoseconds.Should().BeGreaterThan(before);
    }

    [Test]
    public void Suspension_whose_thread_is_slow_marks_nobody_in_the_VMs_next_life()
    {
        using ManualResetEventSlim isLogging = new();
        using ManualResetEventSlim mayGoOn = new();
        using Logger log = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(new SlowSink(() =>
        {
            if (Thread.CurrentThread.Name == nameof(Machine.Suspend))
            {
                isLogging.Set();
                mayGoOn.Wait();
            }
        })).CreateLogger();
        Use(new VirtualMachineFactory(Backend, log).Create(Options("slow")));
        Start();
        Background suspender = Background.Start(() =>
        {
            Thread.CurrentThread.Name = nameof(Machine.Suspend);
            Machine.Suspend(SuspendReason.PowerOff);
        });
        isLogging.Wait();
        Reinitialize();
        Start();

        mayGoOn.Set();
        suspender.Join();

        Machine.SuspendedVcpus.IsEmpty.Should().BeTrue("the suspension was of the life before");
        Reinitializing().ShouldFail(VmmError.EBUSY);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Refusal_of_the_host_leaves_the_VM_as_it_was(bool ofTheVm)
    {
        Map(0, Page, 0);
        Map(0xf0000, Page, 1, MemoryProtection.ReadExecute, isRam: false);
        FakeVcpu guest = Start().ThenPause();
        VmmException refusal = new("host", VmmError.ENOMEM, "no more");
        Backend.VmRefusal = ofTheVm ? refusal : null;
        Backend.PlacementRefusal = ofTheVm ? null : refusal;

        Reinitializing(ReinitializeFlags.ForceSuspend).ShouldFail(VmmError.ENOMEM);

        Backend.Machines.Skip(1).Should().NotContain(machine => !machine.IsDisposed);
        Machine.SuspendReason.Should().Be(SuspendReason.None);
        Machine.MemoryMap.IsAllocated(At(0xf0000)).Should().BeTrue();
        Run().Code.Should().Be(ExitCode.Pause);
        guest.Entries.Should().Be(1);

        Backend.VmRefusal = null;
        Backend.PlacementRefusal = null;
        Reinitialize(ReinitializeFlags.ForceSuspend);
        Backend.Machines[^1].Placements.Should().ContainSingle();
    }

    private void Reinitialize(ReinitializeFlags flags = ReinitializeFlags.None)
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Reinitialize(freeze, flags);
    }

    private Action Reinitializing(ReinitializeFlags flags = ReinitializeFlags.None) => () => Reinitialize(flags);

    private sealed class SlowSink(Action whenWritten) : ILogEventSink
    {
        public void Emit(LogEvent logEvent) => whenWritten();
    }
}
