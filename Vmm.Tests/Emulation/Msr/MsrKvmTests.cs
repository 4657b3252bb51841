// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Msr;

/// <summary>Filters and restored registers as KVM takes them.</summary>
[Category("Kvm")]
public sealed class MsrKvmTests
{
    [TestCase("only:IA32_TSC")]
    [TestCase("only:0x0-0x7ff,0xc0000000-0xc0001fff,0x4b564d00-0x4b564dff")]
    [TestCase("but:IA32_PAT:w,IA32_MC0_CTL-IA32_MC3_MISC,0xc0010000-0xc0012fff:r")]
    [TestCase("but:0x7ff-0x900")]
    public void Kernel_accepts_what_a_policy_compiles_to(string text)
    {
        MsrExposurePolicy.TryParse(text, out MsrExposurePolicy? policy, out string? problem).Should().BeTrue(problem);

        Action set = () => Set(policy!.Compile());

        set.Should().NotThrow();
    }

    [Test]
    public void Kernel_accepts_a_policy_that_allows_nothing()
    {
        Action set = () => Set(new MsrExposurePolicy(MsrExposure.Only, []).Compile());

        set.Should().NotThrow();
    }

    [Test]
    public void Registers_of_a_vcpu_restore_into_another()
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        using KvmVcpuFd first = vm.CreateVcpu(0);
        using KvmVcpuFd second = vm.CreateVcpu(1);
        first.SetCpuid2(system.GetSupportedCpuid());
        second.SetCpuid2(system.GetSupportedCpuid());
        Target source = new(first);
        Target target = new(second);
        source.TrySetMsr(new MsrIndex(0xc0000081), 0x0023001000000000).Should().BeTrue();
        source.TrySetMsr(new MsrIndex(0x277), 0x0001040600070406).Should().BeTrue();
        List<MsrRefusal> refused = [];

        ImmutableArray<MsrEntry> saved = MsrStateTransfer.Save(source, system.GetMsrIndexList().Select(index => new MsrIndex(index)), refused);
        ImmutableArray<MsrRefusal> before = MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Warn);
        MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Warn);

        saved.Length.Should().BeGreaterThan(10);
        before.Select(refusal => refusal.ToString()).Should().BeEmpty();
        target.TryGetMsr(new MsrIndex(0xc0000081), out ulong star);
        target.TryGetMsr(new MsrIndex(0x277), out ulong pat);
        (star, pat).Should().Be((0x0023001000000000, 0x0001040600070406));
    }

    [Test]
    public void Deadline_of_the_timer_travels_only_behind_the_local_APIC()
    {
        const int TimerVector = 0x320;
        const byte DeadlineMode = 0x04;
        MsrIndex deadline = new(0x6e0);
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        vm.CreateIrqchip();
        using KvmVcpuFd first = vm.CreateVcpu(0);
        using KvmVcpuFd second = vm.CreateVcpu(1);
        CpuDefinition processor = new([.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)]);
        processor.TrySet("tsc_deadline_timer", true, CpuDependencyPolicy.Repair, []).Should().BeTrue();
        Array.ForEach([first, second], vcpu => vcpu.SetCpuid2([.. processor.Entries.Select(entry => KvmConvert.FromEntry(entry))]));
        first.GetLapic(out KvmLapicState apic);
        (apic.Regs[0xf0], apic.Regs[0xf1], apic.Regs[TimerVector], apic.Regs[TimerVector + 2]) = (0xff, 1, 0xee, DeadlineMode);
        first.SetLapic(apic);
        Target source = new(first);
        Target target = new(second);
        source.TrySetMsr(deadline, ulong.MaxValue / 2).Should().BeTrue();
        ImmutableArray<MsrEntry> saved = MsrStateTransfer.Save(source, [deadline, new MsrIndex(0x10)], []);
        saved.Select(entry => entry.Index.Value).Should().Equal(0x10, 0x6e0);

        MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.BeforeLocalApic, MsrRestorePolicy.Fatal);
        target.TrySetMsr(deadline, saved[1].Value);
        target.TryGetMsr(deadline, out ulong early);
        first.GetLapic(out apic);
        apic.Regs[0x23] = 1;
        second.SetLapic(apic);
        MsrStateTransfer.Restore(target, saved.AsSpan(), MsrRestorePhase.AfterLocalApic, MsrRestorePolicy.Fatal);

        early.Should().Be(0, "a local APIC that is not in that mode drops it");
        target.TryGetMsr(deadline, out ulong late);
        late.Should().Be(ulong.MaxValue / 2);
    }

    [Test]
    public void Kernel_refuses_what_the_rules_refuse()
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        vcpu.SetCpuid2(system.GetSupportedCpuid());
        CpuDefinition definition = new([.. system.GetSupportedCpuid().Select(KvmConvert.ToEntry)]);
        MsrFile file = new(new MsrFileOptions { Definition = definition, ServesHypervisorLayer = true });
        (uint Index, ulong Value)[] writes =
        [
            (0x277, 0x0001040600070406), (0x277, 2), (0x277, 0x0800000000000000), (0x200, 6), (0x200, 0x100), (0x200, 7), (0x2ff, 0xc06),
            (0x2ff, 0x1000), (0x250, 0x0606060606060606), (0x250, 0x0606060606060602), (0xc0000082, 0xffffffff81000000),
            (0xc0000082, 0x0100000000000000), (0xc0000102, 0x00007fffffffffff), (0xc0000102, 0x0000800000000000),
        ];

        // PVM stores any PAT.
        bool isPvm = KvmHost.Detect() == HostVirtualization.Pvm;
        writes.Where(write => !isPvm || write.Index != 0x277).Where(write => vcpu.TrySetMsr(write.Index, write.Value) != (file.Write(new MsrIndex(write.Index), write.Value, 0) == MsrOutcome.Handled))
            .Select(write => $"{MsrRegistry.NameOf(new MsrIndex(write.Index))} = 0x{write.Value:x}").Should().BeEmpty();
    }

    private static void Set(MsrFilter filter)
    {
        using KvmSystemFd system = KvmRequirement.Open();
        KvmRequirement.Require(system, KvmCapability.X86MsrFilter);
        using KvmVmFd vm = system.CreateVm();
        KvmMsrFilterEntry[] entries =
        [
            .. filter.Ranges.Select(range => new KvmMsrFilterEntry((KvmMsrFilterRangeFlags)range.Directions, range.First.Value, (uint)range.Count, range.Allowed.ToArray())),
        ];
        vm.SetMsrFilter(filter.IsDefaultAllow ? KvmMsrFilterFlags.Allow : KvmMsrFilterFlags.Deny, entries);
    }

    private sealed class Target(KvmVcpuFd vcpu) : IMsrTarget
    {
        public bool TryGetMsr(MsrIndex index, out ulong value) => vcpu.TryGetMsr(index.Value, out value);

        public bool TrySetMsr(MsrIndex index, ulong value) => vcpu.TrySetMsr(index.Value, value);
    }
}
