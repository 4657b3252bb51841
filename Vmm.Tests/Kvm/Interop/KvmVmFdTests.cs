// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>The requests of a VM that are neither about memory nor about interrupt controllers.</summary>
[TestFixture]
public sealed class KvmVmFdTests : KvmFixture
{
    private const uint SysenterCs = 0x174;

    // mov ecx, 0x174; rdmsr; hlt
    private static readonly byte[] s_readMsr = [0x66, 0xb9, 0x74, 0x01, 0x00, 0x00, 0x0f, 0x32, 0xf4];

    [Test]
    public void Vm_answers_for_capabilities() =>
        Vm.CheckExtension(KvmCapability.UserMemory).Should().BeGreaterThan(0);

    [Test]
    public void Second_vcpu_of_the_same_id_is_refused()
    {
        Action create = () => Vm.CreateVcpu(0).Dispose();

        create.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EEXIST);
    }

    [Test]
    public void Clock_reads_back_no_earlier_than_it_was_set()
    {
        const ulong OneHour = 3_600_000_000_000;

        Vm.SetClock(new KvmClockData { Clock = OneHour });

        Vm.GetClock().Clock.Should().BeInRange(OneHour, 2 * OneHour);
    }

    [Test]
    public void Vm_wide_tsc_frequency_reads_back() =>
        HostRefusal.Unless(Vm, KvmCapability.VmTscControl, () =>
        {
            int frequency = Vm.GetTscKhz();
            Vm.SetTscKhz((uint)frequency);
            Vm.GetTscKhz().Should().Be(frequency);
        });

    [Test]
    public void Boot_cpu_is_chosen_before_the_first_vcpu()
    {
        using KvmVmFd empty = System.CreateVm();

        FluentActions.Invoking(() => empty.SetBootCpuId(3)).Should().NotThrow();
        FluentActions.Invoking(() => Vm.SetBootCpuId(3))
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
    }

    [Test]
    public void Filtered_msr_leaves_the_guest_and_is_answered()
    {
        Vm.EnableUserSpaceMsr(KvmMsrExitReason.Filter);
        Vm.SetMsrFilter(
            KvmMsrFilterFlags.Allow,
            [new KvmMsrFilterEntry(KvmMsrFilterRangeFlags.Read, SysenterCs, 1, new byte[1])]);
        Load(s_readMsr);

        Run().Should().Be(KvmExitReason.X86Rdmsr);
        KvmRunMsr access = Vcpu.Page.Run.Msr;
        Vcpu.Page.Run.Msr.Data = 0x1122_3344;
        Run().Should().Be(KvmExitReason.Hlt);
        Vcpu.GetRegs(out KvmRegs registers);

        access.Index.Should().Be(SysenterCs);
        ((KvmMsrExitReason)access.Reason).Should().Be(KvmMsrExitReason.Filter);
        registers.Rax.Should().Be(0x1122_3344);
    }

    [Test]
    public void Msr_range_beyond_the_limit_is_the_caller_s_mistake()
    {
        KvmMsrFilterEntry[] tooLong = [new(KvmMsrFilterRangeFlags.Read, 0, 12289, new byte[2000])];
        KvmMsrFilterEntry[] tooShort = [new(KvmMsrFilterRangeFlags.Read, 0, 9, new byte[1])];

        FluentActions.Invoking(() => Vm.SetMsrFilter(KvmMsrFilterFlags.Deny, tooLong)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vm.SetMsrFilter(KvmMsrFilterFlags.Deny, tooShort)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vm.SetMsrFilter(KvmMsrFilterFlags.Deny, new KvmMsrFilterEntry[17]))
            .Should().Throw<ArgumentException>();
    }

    [Test]
    public void Pmu_filter_takes_events() =>
        HostRefusal.Unless(Vm, KvmCapability.PmuEventFilter, () =>
            Vm.SetPmuEventFilter(KvmPmuEventAction.Deny, 0, KvmPmuEventFlags.None, [0x003c, 0x00c0]));

    [Test]
    public void Device_that_x86_does_not_have_is_refused()
    {
        Vm.CanCreateDevice((KvmDeviceType)1).Should().BeFalse();
        FluentActions.Invoking(() => Vm.CreateDevice((KvmDeviceType)1).Dispose())
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.ENODEV);
    }

    [Test]
    public void Vfio_device_knows_its_file_group_where_it_can_be_made()
    {
        if (!Vm.CanCreateDevice(KvmDeviceType.Vfio))
        {
            Assert.Ignore("this host's KVM has no VFIO device");
        }

        using KvmDeviceFd device = Vm.CreateDevice(KvmDeviceType.Vfio);

        device.HasDeviceAttr(1, 1).Should().BeTrue();
        device.HasDeviceAttr(99, 99).Should().BeFalse();
    }

    [Test]
    public void Vm_attributes_are_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.VmAttributes, () => Vm.HasDeviceAttr(0, 0));

    [Test]
    public void Vm_statistics_have_names_and_numbers() =>
        HostRefusal.Unless(Vm, KvmCapability.BinaryStatsFd, () =>
        {
            using KvmStatsFd statistics = Vm.GetStatsFd();

            statistics.ReadId().Should().StartWith("kvm-");
            statistics.ReadDescriptors().Select(statistic => statistic.Name).Should().Contain("remote_tlb_flush");
            statistics.TryRead("remote_tlb_flush", out _).Should().BeTrue();
            statistics.TryRead("no_such_statistic", out _).Should().BeFalse();
        });

    [Test]
    public void Xen_configuration_and_attributes_or_refused_by_name()
    {
        KvmXenHvmAttr wanted = new() { Type = (ushort)KvmXenHvmAttrType.LongMode, LongMode = 1 };
        KvmXenHvmAttr read = new() { Type = (ushort)KvmXenHvmAttrType.LongMode };

        HostRefusal.Unless(Vm, KvmCapability.XenHvm, () => Vm.XenHvmConfig(default));
        HostRefusal.Unless(Vm, KvmCapability.XenHvm, () => Vm.XenHvmSetAttr(wanted));
        HostRefusal.Unless(Vm, KvmCapability.XenHvm, () =>
        {
            Vm.XenHvmGetAttr(ref read);
            read.LongMode.Should().Be(1);
        });
        FluentActions.Invoking(() => Vm.XenHvmEvtchnSend(new KvmIrqRoutingXenEvtchn { Port = uint.MaxValue }))
            .Should().Throw<VmmException>().Which.Operation.Should().Be("KVM_XEN_HVM_EVTCHN_SEND");
    }

    [Test]
    public void Hyperv_eventfd_or_refused_by_name()
    {
        using EventFd signal = EventFd.Create();
        HostRefusal.Unless(Vm, KvmCapability.HypervEventfd, () =>
            Vm.HypervEventfd(new KvmHypervEventfd { ConnId = 1, Fd = signal.Number }));
    }

    [Test]
    public void Unknown_capability_cannot_be_enabled()
    {
        Action enable = () => Vm.EnableCap((KvmCapability)0xffff);

        enable.Should().Throw<VmmException>().Which.Operation.Should().Be("KVM_ENABLE_CAP");
    }

    [Test]
    public void More_than_four_arguments_are_the_caller_s_mistake()
    {
        Action enable = () => Vm.EnableCap(KvmCapability.HaltPoll, 1, 2, 3, 4, 5);

        enable.Should().Throw<ArgumentException>();
    }

    private static IEnumerable<TestCaseData> Switches()
    {
        return
        [
            Case(KvmCapability.ExitOnEmulationFailure, vm => vm.EnableExitOnEmulationFailure(true)),
            Case(KvmCapability.ExceptionPayload, vm => vm.EnableExceptionPayload(true)),
            Case(KvmCapability.X86TripleFaultEvent, vm => vm.EnableTripleFaultEvent(true)),
            Case(KvmCapability.X86BusLockExit, vm => vm.EnableBusLockExit(KvmBusLockDetection.Exit)),
            Case(KvmCapability.X86NotifyVmexit, vm => vm.EnableNotifyVmexit(128_000, KvmNotifyVmexitFlags.Enabled)),
            Case(KvmCapability.DisableQuirks2, vm => vm.DisableQuirks(KvmQuirks.Lint0Reenabled)),
            Case(KvmCapability.HaltPoll, vm => vm.SetHaltPoll(0)),
            Case(KvmCapability.PmuCapability, vm => vm.SetPmuCapability(KvmPmuCapability.Disable)),
            Case(KvmCapability.MaxVcpuId, vm => vm.SetMaxVcpuId(15)),
            Case(KvmCapability.ExitHypercall, vm => vm.EnableHypercallExit(0)),
            Case(KvmCapability.X86ApicBusCyclesNs, vm =>
            {
                vm.CreateIrqchip();
                vm.SetApicBusCycles(10);
            }),
            Case(KvmCapability.MsrPlatformInfo, vm => vm.EnablePlatformInfoMsr(false)),
            Case(KvmCapability.VmDisableNxHugePages, vm => vm.DisableNxHugePages()),
            Case(KvmCapability.SplitIrqchip, vm => vm.EnableSplitIrqchip(24)),
            Case(KvmCapability.X86UserSpaceMsr, vm => vm.EnableUserSpaceMsr(KvmMsrExitReason.Unknown)),
            Case(KvmCapability.X86DisableExits, vm => vm.DisableExits(KvmDisableExits.Pause)),
            Case(KvmCapability.X2apicApi, vm => vm.EnableX2ApicApi(KvmX2ApicApiFlags.Use32bitIds)),
            Case(KvmCapability.ManualDirtyLogProtect2, vm =>
                vm.EnableManualDirtyLogProtect(KvmDirtyLogFlags.ManualProtectEnable)),
        ];

        static TestCaseData Case(KvmCapability capability, Action<KvmVmFd> enable) =>
            new TestCaseData((uint)capability, enable).SetArgDisplayNames(capability.ToString());
    }

    [TestCaseSource(nameof(Switches))]
    public void Vm_wide_switch_is_accepted_or_refused_by_name(uint capability, object enable)
    {
        using KvmVmFd vm = System.CreateVm();

        HostRefusal.Unless(vm, (KvmCapability)capability, () => ((Action<KvmVmFd>)enable)(vm));
    }
}
