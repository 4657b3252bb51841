// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>A VM with one page of code at guest-physical 0x1000 and a vCPU in real mode about to run it.</summary>
[Category("Kvm")]
public abstract class KvmFixture
{
    /// <summary>Where the code is.</summary>
    protected const ulong CodeAddress = 0x1000;

    private protected KvmSystemFd System { get; private set; } = null!;

    private protected KvmVmFd Vm { get; private set; } = null!;

    private protected KvmVcpuFd Vcpu { get; private set; } = null!;

    private protected MemoryMapping Memory { get; private set; } = null!;

    [SetUp]
    public void CreateGuest()
    {
        System = KvmRequirement.Open();
        Vm = System.CreateVm();
        PrepareVm();
        Memory = MemoryMapping.Create(0x10000);
        Vm.SetUserMemoryRegion(0, KvmMemoryRegionFlags.None, 0, Memory, 0, Memory.Length);
        Vcpu = Vm.CreateVcpu(0);
    }

    [TearDown]
    public void DisposeGuest()
    {
        Vcpu?.Dispose();
        Vm?.Dispose();
        Memory?.Dispose();
        System?.Dispose();
    }

    /// <summary>What must happen before the first vCPU exists.</summary>
    private protected virtual void PrepareVm()
    {
    }

    /// <summary>Puts code into the guest and the vCPU in front of it: real mode, all segment bases zero.</summary>
    private protected void Load(params ReadOnlySpan<byte> code)
    {
        code.CopyTo(Memory.Slice(CodeAddress, code.Length));
        Vcpu.GetSregs(out KvmSregs system);
        system.Cs.Base = 0;
        system.Cs.Selector = 0;
        Vcpu.SetSregs(system);
        Vcpu.SetRegs(new KvmRegs { Rip = CodeAddress, Rflags = 2, Rsp = 0x8000 });
    }

    /// <summary>Runs until an exit.</summary>
    private protected KvmExitReason Run()
    {
        using KvmVcpuSession session = Vcpu.OpenSession();
        session.Run().Should().Be(0, "KVM_RUN must end with an exit");
        return (KvmExitReason)session.Page.ExitReason;
    }
}
