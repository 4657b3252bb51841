// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>Every request that reads or writes a vCPU's state; what is written must read back.</summary>
[TestFixture]
public sealed class KvmVcpuFdStateTests : KvmFixture
{
    private const uint SysenterCs = 0x174;
    private const uint SysenterEsp = 0x175;
    private const uint NoSuchMsr = 0xdead_0000;

    [Test]
    public void General_registers_read_back()
    {
        KvmRegs wanted = new() { Rax = 1, Rsp = 0x7000, R15 = ulong.MaxValue, Rip = 0x1234, Rflags = 0x202 };

        Vcpu.SetRegs(wanted);
        Vcpu.GetRegs(out KvmRegs read);

        read.Should().Be(wanted);
    }

    [Test]
    public void System_registers_read_back()
    {
        Vcpu.GetSregs(out KvmSregs wanted);
        wanted.Ds.Base = 0x12340;
        wanted.Ds.Selector = 0x1234;
        wanted.Gdt.Base = 0x5000;
        wanted.Gdt.Limit = 0x27;
        wanted.Cr2 = 0xdead_b000;

        Vcpu.SetSregs(wanted);
        Vcpu.GetSregs(out KvmSregs read);

        read.Ds.Should().Be(wanted.Ds);
        read.Gdt.Base.Should().Be(0x5000);
        read.Gdt.Limit.Should().Be(0x27);
        read.Cr2.Should().Be(0xdead_b000);
    }

    [Test]
    public void Second_form_of_system_registers_reads_back_or_is_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.Sregs2, () =>
        {
            Vcpu.GetSregs2(out KvmSregs2 wanted);
            wanted.Idt.Base = 0x6000;
            Vcpu.SetSregs2(wanted);
            Vcpu.GetSregs2(out KvmSregs2 read);
            read.Idt.Base.Should().Be(0x6000);
        });

    [Test]
    public void Floating_point_state_reads_back()
    {
        Vcpu.GetFpu(out KvmFpu wanted);
        wanted.Fcw = 0x027f;
        wanted.Mxcsr = 0x1f80;
        wanted.Xmm[3][15] = 0x77;
        wanted.Fpr[2][0] = 0x66;

        Vcpu.SetFpu(wanted);
        Vcpu.GetFpu(out KvmFpu read);

        read.Fcw.Should().Be(0x027f);
        read.Xmm[3][15].Should().Be(0x77);
        read.Fpr[2][0].Should().Be(0x66);
    }

    [Test]
    public void Extended_state_reads_back_in_either_form()
    {
        KvmRequirement.Require(System, KvmCapability.Xsave);

        // Word 6 of the legacy region is MXCSR; the header's bit vector starts at word 128.
        const int Mxcsr = 6;
        const int StateBits = 128;
        byte[] area = new byte[Vcpu.XsaveLength];
        Vcpu.GetXsave(out KvmXsave classic);
        classic.Region[Mxcsr] = 0x1fa0;
        classic.Region[StateBits] |= 2;
        MemoryMarshal.Write(area, classic);

        Vcpu.SetXsave(area);
        Vcpu.GetXsave(out KvmXsave read);

        read.Region[Mxcsr].Should().Be(0x1fa0);
    }

    [Test]
    public void Second_form_of_extended_state_is_as_long_as_the_capability_says_or_refused_by_name()
    {
        byte[] area = new byte[Vcpu.XsaveLength];

        area.Length.Should().BeGreaterThanOrEqualTo(4096);
        HostRefusal.Unless(Vm, KvmCapability.Xsave2, () => Vcpu.GetXsave2(area));
        FluentActions.Invoking(() => Vcpu.SetXsave(new byte[4095])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vcpu.GetXsave2(new byte[4095])).Should().Throw<ArgumentException>();
    }

    [Test]
    public void Extended_control_register_reads_back()
    {
        KvmRequirement.Require(System, KvmCapability.Xcrs);
        Vcpu.SetCpuid2(System.GetSupportedCpuid());
        Vcpu.GetXcrs(out KvmXcrs wanted);
        wanted.NrXcrs.Should().Be(1);
        wanted.Xcrs[0].Value = 3;

        Vcpu.SetXcrs(wanted);
        Vcpu.GetXcrs(out KvmXcrs read);

        read.Xcrs[0].Value.Should().Be(3);
    }

    [Test]
    public void Debug_registers_read_back()
    {
        KvmRequirement.Require(System, KvmCapability.Debugregs);
        Vcpu.GetDebugregs(out KvmDebugregs wanted);
        wanted.Db[1] = 0x4321;

        Vcpu.SetDebugregs(wanted);
        Vcpu.GetDebugregs(out KvmDebugregs read);

        read.Db[1].Should().Be(0x4321);
    }

    [Test]
    public void Msrs_are_written_and_read_up_to_the_first_that_is_refused()
    {
        KvmMsrEntry[] wanted =
        [
            new() { Index = SysenterCs, Data = 0x10 },
            new() { Index = SysenterEsp, Data = 0x9000 },
            new() { Index = NoSuchMsr, Data = 1 },
            new() { Index = SysenterCs, Data = 0x20 },
        ];
        KvmMsrEntry[] read = [new() { Index = SysenterCs }, new() { Index = SysenterEsp }, new() { Index = NoSuchMsr }];

        Vcpu.SetMsrs(wanted).Should().Be(2);
        Vcpu.GetMsrs(read).Should().Be(2);

        read[0].Data.Should().Be(0x10);
        read[1].Data.Should().Be(0x9000);
    }

    [Test]
    public void Single_msr_is_read_written_or_refused()
    {
        Vcpu.TrySetMsr(SysenterCs, 0x30).Should().BeTrue();
        Vcpu.TryGetMsr(SysenterCs, out ulong value).Should().BeTrue();
        value.Should().Be(0x30);
        Vcpu.TryGetMsr(NoSuchMsr, out _).Should().BeFalse();
    }

    [Test]
    public void More_msrs_than_fit_on_the_stack_are_read_in_one_call()
    {
        KvmMsrEntry[] entries = new KvmMsrEntry[100];
        Array.Fill(entries, new KvmMsrEntry { Index = SysenterCs });

        Vcpu.GetMsrs(entries).Should().Be(100);
    }

    [Test]
    public void Cpuid_reads_back()
    {
        KvmCpuidEntry2[] wanted = System.GetSupportedCpuid();

        Vcpu.SetCpuid2(wanted);
        KvmCpuidEntry2[] read = Vcpu.GetCpuid2();

        read.Should().HaveCount(wanted.Length);
        read.Select(entry => (entry.Function, entry.Index))
            .Should().Equal(wanted.Select(entry => (entry.Function, entry.Index)));
    }

    [Test]
    public void Hyperv_cpuid_is_listed_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.HypervCpuid, () =>
            Vcpu.GetSupportedHvCpuid().Should().Contain(entry => entry.Function == 0x4000_0000));

    [Test]
    public void Pending_nmi_shows_in_the_events_and_is_taken_back()
    {
        Vcpu.Nmi();
        Vcpu.GetVcpuEvents(out KvmVcpuEvents pending);
        KvmVcpuEvents cleared = pending;
        cleared.Nmi.Pending = 0;
        cleared.Flags = (uint)KvmVcpuEventFlags.NmiPending;
        Vcpu.SetVcpuEvents(cleared);
        Vcpu.GetVcpuEvents(out KvmVcpuEvents after);

        (pending.Nmi.Pending + pending.Nmi.Injected).Should().BeGreaterThan(0);
        after.Nmi.Pending.Should().Be(0);
    }

    [Test]
    public void Smi_is_queued_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.X86Smm, Vcpu.Smi);

    [Test]
    public void Multiprocessing_state_of_a_boot_cpu_is_runnable() =>
        Vcpu.GetMpState().Should().Be(KvmMpStateValue.Runnable);

    [Test]
    public void Local_apic_outside_the_kernel_has_no_state_here()
    {
        FluentActions.Invoking(() => Vcpu.GetLapic(out _))
            .Should().Throw<VmmException>().Which.Operation.Should().Be("KVM_GET_LAPIC");
    }

    [Test]
    public void Real_mode_address_translates_to_itself()
    {
        KvmTranslation translation = Vcpu.Translate(0x1234);

        translation.Valid.Should().Be(1);
        translation.PhysicalAddress.Should().Be(0x1234);
    }

    [Test]
    public void Tsc_frequency_is_known_and_taken_back()
    {
        int frequency = Vcpu.GetTscKhz();

        frequency.Should().BeGreaterThan(0);
        FluentActions.Invoking(() => Vcpu.SetTscKhz((uint)frequency)).Should().NotThrow();
    }

    [Test]
    public void Pause_of_a_guest_without_kvmclock_is_refused()
    {
        FluentActions.Invoking(Vcpu.KvmclockCtrl)
            .Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Machine_check_is_taken_by_a_configured_bank()
    {
        KvmRequirement.Require(System, KvmCapability.Mce);
        const uint BankZeroStatus = 0x401;
        const ulong ValidCorrected = 1UL << 63;
        Vcpu.SetupMce(System.GetMceCapSupported() | (uint)System.CheckExtension(KvmCapability.Mce));

        Vcpu.SetMce(new KvmX86Mce { Status = ValidCorrected | 5 });

        Vcpu.TryGetMsr(BankZeroStatus, out ulong status).Should().BeTrue();
        status.Should().Be(ValidCorrected | 5);
    }

    [Test]
    public void Nested_state_reads_back_or_is_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.NestedState, () => Vcpu.SetNestedState(Vcpu.GetNestedState()));

    [Test]
    public void Nested_state_that_promises_too_much_never_reaches_the_kernel()
    {
        byte[] state = new byte[Unsafe.SizeOf<KvmNestedState>()];
        BitConverter.TryWriteBytes(state.AsSpan(4), 4096).Should().BeTrue();

        FluentActions.Invoking(() => Vcpu.SetNestedState(state)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => Vcpu.SetNestedState(new byte[127])).Should().Throw<ArgumentException>();
    }

    [Test]
    public void Memory_is_populated_ahead_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.PreFaultMemory, () => Vcpu.PreFaultMemory(0, 0x1000).Should().Be(0));

    [Test]
    public void Register_list_and_single_registers_or_refused_by_name()
    {
        // KVM_X86_REG_MSR(0x174): an x86 register of eight bytes, type MSR.
        const ulong SysenterCsRegister = 0x2030_0002_0000_0174;

        HostRefusal.Unless(Vm, KvmCapability.OneReg, () => Vcpu.GetRegList());
        HostRefusal.Unless(Vm, KvmCapability.OneReg, () => Vcpu.SetOneReg(SysenterCsRegister, 0x40));
        HostRefusal.Unless(Vm, KvmCapability.OneReg, () => Vcpu.GetOneReg(SysenterCsRegister).Should().Be(0x40));
        FluentActions.Invoking(() => Vcpu.GetOneReg(0x2020_0002_0000_0174)).Should().Throw<ArgumentException>();
    }

    [Test]
    public void Vcpu_statistics_count_exits() =>
        HostRefusal.Unless(Vm, KvmCapability.BinaryStatsFd, () =>
        {
            using KvmStatsFd statistics = Vcpu.GetStatsFd();
            Load(0xf4);
            statistics.TryRead("exits", out ulong before).Should().BeTrue();
            Run().Should().Be(KvmExitReason.Hlt);
            statistics.TryRead("exits", out ulong after).Should().BeTrue();

            after.Should().BeGreaterThanOrEqualTo(before);
            statistics.ReadDescriptors().Single(statistic => statistic.Name == "exits").Type
                .Should().Be(KvmStatsType.Cumulative);
        });

    [Test]
    public void Tsc_offset_is_an_attribute_or_refused_by_name() =>
        HostRefusal.Unless(Vm, KvmCapability.VcpuAttributes, () =>
        {
            const uint Group = KvmConstants.VcpuTscCtrl;
            const ulong Offset = KvmConstants.VcpuTscOffset;
            Vcpu.HasDeviceAttr(Group, Offset).Should().BeTrue();
            ulong value = Vcpu.GetDeviceAttr(Group, Offset);
            Vcpu.SetDeviceAttr(Group, Offset, value);
            Vcpu.GetDeviceAttr(Group, Offset).Should().Be(value);
        });

    [Test]
    public void Xen_attributes_or_refused_by_name()
    {
        KvmXenVcpuAttr attribute = new() { Type = (ushort)KvmXenVcpuAttrType.VcpuId };

        HostRefusal.Unless(Vm, KvmCapability.XenHvm, () => Vcpu.XenVcpuGetAttr(ref attribute));
        HostRefusal.Unless(Vm, KvmCapability.XenHvm, () => Vcpu.XenVcpuSetAttr(attribute));
    }

    [Test]
    public void Capability_of_a_vcpu_is_enabled_or_refused_by_name()
    {
        // Without leaf 0x40000001 nothing is enforced; the switch itself is what counts.
        HostRefusal.Unless(Vm, KvmCapability.EnforcePvFeatureCpuid, () =>
            Vcpu.EnableCap(KvmCapability.EnforcePvFeatureCpuid, 1));
        FluentActions.Invoking(() => Vcpu.EnableCap((KvmCapability)0xffff))
            .Should().Throw<VmmException>().Which.Operation.Should().Be("KVM_ENABLE_CAP");
    }
}
