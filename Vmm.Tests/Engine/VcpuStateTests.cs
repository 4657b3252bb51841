// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.Metrics;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>Registers, capabilities, CPUID, reset, time accounting and measurements.</summary>
public sealed class VcpuStateTests : EngineFixture
{
    [TestCase(RegisterName.Gdtr)]
    [TestCase(RegisterName.Idtr)]
    [TestCase((RegisterName)46)]
    [TestCase((RegisterName)(-1))]
    [TestCase(RegisterName.EntryInstructionLength)]
    public void Register_without_a_value_is_EINVAL(RegisterName register)
    {
        Action get = () => Cpu.GetRegister(register);
        Action set = () => Cpu.SetRegister(register, 0);

        get.ShouldFail(VmmError.EINVAL);
        set.ShouldFail(VmmError.EINVAL);
    }

    [TestCase(RegisterName.Rax)]
    [TestCase(RegisterName.Cr0)]
    [TestCase(RegisterName.Efer)]
    [TestCase((RegisterName)(-1))]
    public void Register_without_a_descriptor_is_EINVAL(RegisterName register)
    {
        Action get = () => Cpu.GetSegmentDescriptor(register);
        Action set = () => Cpu.SetSegmentDescriptor(register, default);

        get.ShouldFail(VmmError.EINVAL);
        set.ShouldFail(VmmError.EINVAL);
    }

    [TestCase(1ul, true)]
    [TestCase(3ul, true)]
    [TestCase(7ul, true)]
    [TestCase(0ul, false)]
    [TestCase(2ul, false)]
    [TestCase(5ul, false)]
    [TestCase(0x11ul, false)]
    [TestCase(ulong.MaxValue, false)]
    public void Xcr0_takes_what_the_host_offers(ulong value, bool accepted)
    {
        Action set = () => Cpu.SetRegister(RegisterName.Xcr0, value);

        if (accepted)
        {
            set.Should().NotThrow();
            Cpu.GetRegister(RegisterName.Xcr0).Should().Be(value);
        }
        else
        {
            set.ShouldFail(VmmError.EINVAL);
            Cpu.GetRegister(RegisterName.Xcr0).Should().Be(1);
        }
    }

    [Test]
    public void Xcr0_is_x87_alone_where_the_host_offers_nothing()
    {
        Backend = new FakeBackend { SupportedCpuid = [] };
        Action sse = () => Cpu.SetRegister(RegisterName.Xcr0, 3);

        sse.ShouldFail(VmmError.EINVAL);
        Cpu.SetRegister(RegisterName.Xcr0, 1);
    }

    [Test]
    public void Selector_leaves_the_hidden_part_alone()
    {
        SegmentDescriptor descriptor = new(0x1000, 0xfffff, new SegmentAccess(0xc093));
        Cpu.SetSegmentDescriptor(RegisterName.Ds, descriptor);

        Cpu.SetRegister(RegisterName.Ds, 0x10);

        Cpu.GetSegmentDescriptor(RegisterName.Ds).Should().Be(descriptor);
    }

    [TestCase((VcpuCapability)5)]
    [TestCase((VcpuCapability)(-1))]
    public void Unknown_capability_is_EINVAL(VcpuCapability capability)
    {
        Action get = () => Cpu.GetCapability(capability);
        Action set = () => Cpu.SetCapability(capability, true);

        get.ShouldFail(VmmError.EINVAL);
        set.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    [Proves("vm_get_capability", "vm_set_capability")]
    public void Capability_the_backend_lacks_is_ENOENT_and_others_are_kept()
    {
        Action get = () => Cpu.GetCapability(VcpuCapability.PauseExit);
        get.ShouldFail(VmmError.ENOENT);
        Cpu.GetCapability(VcpuCapability.HaltExit).Should().BeTrue();
        Cpu.SetCapability(VcpuCapability.HaltExit, false);
        Cpu.GetCapability(VcpuCapability.HaltExit).Should().BeFalse();
    }

    [TestCase(VcpuCapability.TraceExceptions)]
    [TestCase(VcpuCapability.TrapWbinvd)]
    [Proves("vcpu_trace_exceptions", "vcpu_trap_wbinvd")]
    public void Tunable_is_ENOENT_until_the_hypervisor_has_it_and_reads_back(VcpuCapability tunable)
    {
        Action get = () => Cpu.GetCapability(tunable);
        get.ShouldFail(VmmError.ENOENT);
        Guest.Offer(tunable);
        Cpu.GetCapability(tunable).Should().BeFalse();

        Cpu.SetCapability(tunable, true);

        Cpu.GetCapability(tunable).Should().BeTrue();
    }

    [Test]
    public void Fpu_image_has_a_least_length()
    {
        Action shorter = () => Cpu.SetFpu(new byte[575]);
        shorter.ShouldFail(VmmError.ENOSPC);
        Action small = () => Cpu.GetFpu(new byte[575]);
        small.ShouldFail(VmmError.ENOSPC);
        Cpu.SetFpu(new byte[576]);
    }

    [Test]
    [Proves("vm_get_x2apic_state", "vm_set_x2apic_state")]
    public void X2apic_state_is_checked_and_fixed_by_the_first_run()
    {
        Action bad = () => Cpu.X2ApicState = (X2ApicState)2;
        bad.ShouldFail(VmmError.EINVAL);
        Cpu.X2ApicState = X2ApicState.Enabled;
        Cpu.X2ApicState.Should().Be(X2ApicState.Enabled);
        Start().ThenPause();
        Run();
        Action late = () => Cpu.X2ApicState = X2ApicState.Disabled;
        late.ShouldFail(VmmError.EBUSY);
    }

    [Test]
    public void X2apic_state_is_the_hypervisors_where_it_has_the_local_APICs()
    {
        Use(Options() with { InterruptControllerMode = InterruptControllerMode.Kernel });

        Cpu.X2ApicState = X2ApicState.Enabled;

        GuestOf(0).TryGetMsr(new(0x1b), out ulong apicBase).Should().BeTrue();
        apicBase.Should().Be(1 << 10);
        Cpu.X2ApicState.Should().Be(X2ApicState.Enabled);
    }

    [Test]
    [Proves("vcpu_arch_reset")]
    public void Reset_gives_the_architectural_state_and_drops_events()
    {
        Cpu.SetRegister(RegisterName.Rdi, 5);
        Cpu.SetRegister(RegisterName.Xcr0, 7);
        Cpu.InjectNmi();
        Cpu.InjectExternalInterrupt();
        Cpu.Inject(GuestException.InvalidOpcode());
        Cpu.SetRegister(RegisterName.InterruptShadow, 1);
        Cpu.SetFpu([.. Enumerable.Repeat((byte)0, 512), 7, .. Enumerable.Repeat((byte)0, 319)]);

        Cpu.Reset(initOnly: false);

        Dictionary<RegisterName, ulong> expected = new()
        {
            [RegisterName.Rdi] = 0,
            [RegisterName.Rdx] = 0x600,
            [RegisterName.Rip] = 0xfff0,
            [RegisterName.Rflags] = 2,
            [RegisterName.Cr0] = 0x60000010,
            [RegisterName.Cr3] = 0,
            [RegisterName.Cr4] = 0,
            [RegisterName.Efer] = 0,
            [RegisterName.Dr6] = 0xffff0ff0,
            [RegisterName.Dr7] = 0x400,
            [RegisterName.Cs] = 0xf000,
            [RegisterName.Xcr0] = 1,
            [RegisterName.InterruptShadow] = 0,
        };
        expected.Should().AllSatisfy(pair => Cpu.GetRegister(pair.Key).Should().Be(pair.Value, "{0}", pair.Key));
        Cpu.GetSegmentDescriptor(RegisterName.Cs).Should()
            .Be(new SegmentDescriptor(0xffff0000, 0xffff, new SegmentAccess(0x93)));
        Cpu.GetSegmentDescriptor(RegisterName.Ldtr).Access.Value.Should().Be(0x82);
        Cpu.GetSegmentDescriptor(RegisterName.Tr).Access.Value.Should().Be(0x8b);
        Cpu.IsNmiPending.Should().BeFalse();
        Cpu.IsExternalInterruptPending.Should().BeFalse();
        Cpu.GetPendingEvents().Exception.IsValid.Should().BeFalse();
        byte[] fpu = new byte[FakeVcpu.FpuLength];
        Cpu.GetFpu(fpu);
        fpu[512].Should().Be(3);
        fpu[..2].Should().Equal(0x7f, 0x03);
        fpu[24..26].Should().Equal(0x80, 0x1f);
    }

    [Test]
    public void Init_keeps_xcr0_fpu_and_run_state()
    {
        Cpu.SetRegister(RegisterName.Xcr0, 7);
        Cpu.SetFpu([.. Enumerable.Repeat((byte)9, 512), 7, .. Enumerable.Repeat((byte)0, 319)]);
        Cpu.SetRunState(VcpuRunState.Run);

        Cpu.Reset(initOnly: true);

        Cpu.GetRegister(RegisterName.Xcr0).Should().Be(7);
        byte[] fpu = new byte[FakeVcpu.FpuLength];
        Cpu.GetFpu(fpu);
        fpu[0].Should().Be(9);
        Cpu.GetRunState(out _).Should().Be(VcpuRunState.Run);
    }

    [Test]
    public void Cpuid_of_a_new_vCPU_is_the_hosts_with_its_own_identity_and_topology()
    {
        Machine.Topology = new CpuTopology(1, 2, 2);
        CpuOf(3).Activate();
        CpuidEntry[] entries = GuestOf(3).Cpuid;

        entries.Single(entry => entry.Function == 1).Ebx.Should().Be(0x03040800, "APIC 3, four threads");
        entries.Single(entry => entry.Function == 1).Edx.Should().Be(0x1fc9cbf5, "HTT is set");
        entries.Single(entry => entry.Function == 0xb && entry.Index == 0).Should()
            .Be(new CpuidEntry(0xb, 0, true, 1, 2, 0x100, 3));
        entries.Single(entry => entry.Function == 0xb && entry.Index == 1).Should()
            .Be(new CpuidEntry(0xb, 1, true, 2, 4, 0x201, 3));
    }

    [Test]
    public void Topology_set_after_activation_reaches_the_guest_and_is_EBUSY_once_it_cannot()
    {
        FakeVcpu guest = Start().ThenPause();
        Machine.Topology = new CpuTopology(1, 4, 1);
        guest.Cpuid.Single(entry => entry.Function == 1).Ebx.Should().Be(0x00040800);
        Run();
        Action late = () => Machine.Topology = CpuTopology.Single;

        late.ShouldFail(VmmError.EBUSY);
        Machine.Topology.Cores.Should().Be(4);
        Machine.Topology = new CpuTopology(1, 4, 1);
    }

    [Test]
    public void Cpuid_refused_by_the_backend_stays_as_it_was()
    {
        FakeVcpu guest = Start().ThenPause();
        CpuidConfiguration before = Cpu.Cpuid;
        guest.CpuidRefusal = new VmmException("KVM_SET_CPUID2", VmmError.E2BIG, "too many");
        Action set = () => Cpu.Cpuid = CpuidConfiguration.Create(CpuidFlags.None, []);
        set.ShouldFail(VmmError.E2BIG);
        Cpu.Cpuid.Should().BeSameAs(before);
        guest.CpuidRefusal = null;
        Run();
        set.ShouldFail(VmmError.EBUSY);
    }

    [Test]
    [Proves("vcpu_tsc_offset")]
    public void Tsc_offset_is_ENOENT_where_the_hypervisor_does_not_tell()
    {
        Start();
        Action get = () => Cpu.GetTscOffset(false);
        get.ShouldFail(VmmError.ENOENT);
        Guest.TscOffset = ulong.MaxValue;
        Cpu.GetTscOffset(true).Should().Be(ulong.MaxValue);
    }

    [Test]
    [Proves("vcpu_ustate_change", "vmm_kstat_update_vcpu")]
    public void Time_is_counted_to_what_it_was_spent_on()
    {
        List<VcpuTimes> seen = [];
        Machine.Ports.Attach(0x10, new FakePort { During = cpu => seen.Add(cpu.Times) });
        Start().ThenOut(0x10, 1, 0).ThenPause();
        Run();

        VcpuTimes inHandler = seen[0];
        VcpuTimes after = Cpu.Times;
        inHandler.Vcpu.Should().Be(new VcpuId(0));
        inHandler.Init.Should().BePositive();
        inHandler.Run.Should().BePositive();
        inHandler.EmulationUser.Should().Be(TimeSpan.Zero);
        after.EmulationEngine.Should().BeGreaterThan(inHandler.EmulationEngine);
        after.Idle.Should().Be(TimeSpan.Zero);
        Cpu.ChangeTimeState(VcpuTimeState.Scheduled);
        Cpu.Times.EmulationUser.Should().BePositive();
        Action same = () => Cpu.ChangeTimeState(VcpuTimeState.Scheduled);
        same.Should().Throw<ArgumentOutOfRangeException>();
        Action unknown = () => Cpu.ChangeTimeState((VcpuTimeState)6);
        unknown.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Time_is_counted_by_the_vCPUs_owner_alone()
    {
        IDisposable owned = Cpu.Acquire();
        Background other = Background.Start(() => Cpu.ChangeTimeState(VcpuTimeState.Idle));
        Background.Until(() => other.IsWaiting);

        Cpu.ChangeTimeState(VcpuTimeState.Scheduled);
        Cpu.Times.Idle.Should().Be(TimeSpan.Zero);
        owned.Dispose();
        other.Join();
        Cpu.ChangeTimeState(VcpuTimeState.EmulationUser);

        (Cpu.Times.Scheduled > TimeSpan.Zero, Cpu.Times.Idle > TimeSpan.Zero).Should().Be((true, true));
    }

    [Test]
    [Proves("vcpu_stats")]
    public void Measurements_show_the_counters_under_the_names_of_VM_and_vCPU()
    {
        string name = Guid.NewGuid().ToString("N");
        Use(Options(name));
        Machine.Ports.Attach(0x10, new FakePort());
        Start().ThenOut(0x10, 1, 0).ThenOut(0x10, 1, 0).ThenPause();
        Run();
        Dictionary<string, long> exits = [];
        List<string> times = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == "vmm.engine")
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (instrument.Name == "vmm.vcpu.exits" && Tag(tags, "vmm.vm") is string vm && vm == name)
            {
                Tag(tags, "vmm.vcpu").Should().Be(0);
                exits[(string)Tag(tags, "reason")!] = value;
            }
        });
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
        {
            if (Tag(tags, "vmm.vm") is string vm && vm == name)
            {
                times.Add((string)Tag(tags, "state")!);
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();

        exits["port"].Should().Be(2);
        exits["other"].Should().Be(1);
        exits["mmio"].Should().Be(0);
        times.Should().BeEquivalentTo("init", "run", "idle", "emu_kern", "emu_user", "sched");
        exits.Clear();
        Machine.Dispose();
        listener.RecordObservableInstruments();
        exits.Should().BeEmpty("a VM that is gone is not measured");
    }

    private static object? Tag(ReadOnlySpan<KeyValuePair<string, object?>> tags, string key)
    {
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            if (tag.Key == key)
            {
                return tag.Value;
            }
        }

        return null;
    }
}
