// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Tests.Conformance;

/// <summary>
/// What every backend must give the engine. A backend is tested by deriving from this class and from the ones beside it;
/// those whose tests execute code are for backends that do.
/// </summary>
public abstract class EngineConformance
{
    /// <summary>Where <see cref="Load"/> puts code.</summary>
    protected const ulong CodeAddress = 0x1000;

    /// <summary>Bytes of RAM at guest-physical 0.</summary>
    protected const ulong RamLength = 0x10000;

    private IHypervisorBackend? _backend;
    private VirtualMachine? _machine;

    /// <summary>Who has the interrupt controllers of the VMs that tests make.</summary>
    protected virtual InterruptControllerMode Mode => InterruptControllerMode.Userspace;

    private protected IHypervisorBackend Backend => _backend!;

    private protected VirtualMachine Machine => _machine!;

    private protected VirtualCpu Cpu => Machine.GetVcpu(new VcpuId(0));

    [SetUp]
    public void CreateMachine()
    {
        _backend = CreateBackend();
        Recreate(new VirtualMachineOptions { Name = "conformance", MaxCpus = 2 });
    }

    [TearDown]
    public void DisposeMachine()
    {
        _machine?.Dispose();
        _backend?.Dispose();
        _machine = null;
        _backend = null;
    }

    /// <summary>Opens the backend, or ends the test with the reason why not.</summary>
    protected abstract IHypervisorBackend CreateBackend();

    /// <summary>Replaces the VM by one with other options and 64 KiB of RAM.</summary>
    private protected void Recreate(VirtualMachineOptions options)
    {
        _machine?.Dispose();
        _machine = new VirtualMachineFactory(Backend).Create(options with { InterruptControllerMode = Mode });
        Map(0, RamLength, 0, MemoryProtection.All, isRam: true);
    }

    private protected void Map(ulong address, ulong length, int segment, MemoryProtection protection, bool isRam)
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(segment), length, isRam);
        Machine.MemoryMap.Map(
            freeze,
            new GuestMemoryMapping(
                new GuestPhysicalAddress(address), length, new SegmentId(segment), 0, protection, MapFlags.None));
    }

    /// <summary>Puts code into RAM and vCPU 0 in front of it: real mode, all segment bases zero, not yet running.</summary>
    private protected void Load(params byte[] code)
    {
        Write(CodeAddress, code);
        if (!Machine.ActiveVcpus.Contains(Cpu.Id))
        {
            Cpu.Activate();
        }

        Cpu.SetRunState(VcpuRunState.Run);
        Cpu.Reset(initOnly: false);
        Cpu.SetRegister(RegisterName.Cs, 0);
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        Cpu.GeneralRegisters = new GeneralRegisters { Rip = CodeAddress, Rsp = 0x8000, Rflags = 2 };
    }

    private protected void Write(ulong address, params byte[] bytes) =>
        Machine.Memory.TryWrite(new GuestPhysicalAddress(address), bytes).Should().BeTrue();

    private protected byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Machine.Memory.TryRead(new GuestPhysicalAddress(address), bytes).Should().BeTrue();
        return bytes;
    }

    private protected VmExit Run() => Cpu.Run(VmEntry.Default);

    private protected VmExit Run(in VmEntry entry) => Cpu.Run(entry);
}
