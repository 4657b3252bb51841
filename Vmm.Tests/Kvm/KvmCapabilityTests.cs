// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>The capabilities of a vCPU as KVM can express them.</summary>
[Category("Kvm")]
public sealed class KvmCapabilityTests
{
    private KvmBackend? _backend;
    private VirtualMachine? _machine;

    private VirtualCpu Cpu => _machine!.GetVcpu(new VcpuId(0));

    [TearDown]
    public void Dispose()
    {
        _machine?.Dispose();
        _backend?.Dispose();
    }

    [TestCase(InterruptControllerMode.Userspace, true)]
    [TestCase(InterruptControllerMode.Kernel, false)]
    public void Halt_exits_follow_the_controllers(InterruptControllerMode mode, bool exits)
    {
        Create(mode);
        Cpu.GetCapability(VcpuCapability.HaltExit).Should().Be(exits);
        Cpu.SetCapability(VcpuCapability.HaltExit, exits);
        Action change = () => Cpu.SetCapability(VcpuCapability.HaltExit, !exits);
        change.ShouldFail(VmmError.ENOENT);
    }

    [Test]
    public void Halt_exits_are_disabled_with_the_VM_or_that_is_refused()
    {
        using (KvmSystemFd system = KvmRequirement.Open())
        {
            if (!((KvmDisableExits)system.CheckExtension(KvmCapability.X86DisableExits)).HasFlag(KvmDisableExits.Hlt))
            {
                Action create = () => Create(InterruptControllerMode.Userspace, DisabledExits.Halt);
                create.ShouldFail(VmmError.ENOTSUP);
                return;
            }
        }

        Create(InterruptControllerMode.Userspace, DisabledExits.Halt);
        Cpu.GetCapability(VcpuCapability.HaltExit).Should().BeFalse();
    }

    [TestCase(VcpuCapability.MonitorTrapExit)]
    [TestCase(VcpuCapability.BreakpointExit)]
    public void Debugging_is_off_at_first_and_can_be_turned_on_and_off(VcpuCapability capability)
    {
        Create(InterruptControllerMode.Userspace);
        Cpu.GetCapability(capability).Should().BeFalse();
        Cpu.SetCapability(capability, true);
        Cpu.GetCapability(capability).Should().BeTrue();
        Cpu.SetCapability(capability, false);
        Cpu.GetCapability(capability).Should().BeFalse();
    }

    [TestCase(VcpuCapability.PauseExit, "PAUSE")]
    [TestCase(VcpuCapability.TraceExceptions, "exceptions")]
    [TestCase(VcpuCapability.TrapWbinvd, "WBINVD")]
    public void What_KVM_never_hands_over_is_refused_by_name(VcpuCapability capability, string name)
    {
        Create(InterruptControllerMode.Userspace);
        Action get = () => Cpu.GetCapability(capability);
        get.ShouldFail(VmmError.ENOENT);
        Action set = () => Cpu.SetCapability(capability, true);
        set.Should().Throw<VmmException>().Which.Message.Should().Contain(name);
    }

    [Test]
    public void Invpcid_is_what_CPUID_says()
    {
        const uint Bit = 1 << 10;
        Create(InterruptControllerMode.Userspace);
        CpuidEntry[] with = [.. _backend!.GetSupportedCpuid().Select(entry => Change(entry, entry.Ebx | Bit))];
        CpuidEntry[] without = [.. _backend.GetSupportedCpuid().Select(entry => Change(entry, entry.Ebx & ~Bit))];

        Cpu.Cpuid = CpuidConfiguration.Create(CpuidFlags.None, with);
        Cpu.GetCapability(VcpuCapability.EnableInvpcid).Should().BeTrue();
        Cpu.Cpuid = CpuidConfiguration.Create(CpuidFlags.None, without);
        Cpu.GetCapability(VcpuCapability.EnableInvpcid).Should().BeFalse();
        Cpu.SetCapability(VcpuCapability.EnableInvpcid, false);
        Action enable = () => Cpu.SetCapability(VcpuCapability.EnableInvpcid, true);
        enable.ShouldFail(VmmError.ENOENT);

        static CpuidEntry Change(CpuidEntry entry, uint ebx) =>
            entry is { Function: 7, Index: 0 } ? entry with { Ebx = ebx } : entry;
    }

    private void Create(InterruptControllerMode mode, DisabledExits disabled = DisabledExits.None)
    {
        _backend = KvmRequirement.OpenBackend();
        _machine = new VirtualMachineFactory(_backend).Create(new VirtualMachineOptions
        {
            Name = "capabilities",
            MaxCpus = 1,
            InterruptControllerMode = mode,
            DisabledExits = disabled,
        });
    }
}
