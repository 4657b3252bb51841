// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine;

/// <summary>A VM over the scripted backend.</summary>
public abstract class EngineFixture
{
    private protected const ulong Page = 4096;

    private readonly List<VirtualMachine> _machines = [];
    private VirtualMachine? _machine;

    private protected FakeBackend Backend { get; set; } = new();

    /// <summary>The VM that a test gets without asking for one with other options.</summary>
    private protected VirtualMachine Machine => _machine ??= Create();

    private protected VirtualCpu Cpu => Machine.GetVcpu(new VcpuId(0));

    private protected FakeVcpu Guest => GuestOf(0);

    [SetUp]
    public void CreateBackend()
    {
        Backend = new FakeBackend();
        _machine = null;
    }

    [TearDown]
    public void DisposeMachines()
    {
        _machine?.Dispose();
        _machine = null;
        _machines.ForEach(machine => machine.Dispose());
        _machines.Clear();
        foreach (FakeMemoryBlock block in Backend.Blocks)
        {
            block.Frees.Should().Be(1, "a VM frees its memory, once");
        }

        Backend.Dispose();
    }

    private protected static VirtualMachineOptions Options(string name = "test") =>
        new() { Name = name, MaxCpus = 4 };

    private protected VirtualMachine Create(VirtualMachineOptions? options = null)
    {
        VirtualMachine machine = new VirtualMachineFactory(Backend).Create(options ?? Options());
        _machines.Add(machine);
        return machine;
    }

    /// <summary>Makes the VM that a test works on another one.</summary>
    private protected VirtualMachine Use(VirtualMachineOptions options) => _machine = Create(options);

    private protected VirtualMachine Use(VirtualMachine machine)
    {
        _machines.Add(machine);
        return _machine = machine;
    }

    private protected VirtualCpu CpuOf(int id) => Machine.GetVcpu(new VcpuId(id));

    /// <summary>The backend's side of a vCPU, the present one.</summary>
    private protected FakeVcpu GuestOf(int id) => ((FakeVm)Machine.BackendVm).Vcpu(id);

    /// <summary>Activates a vCPU and lets it run.</summary>
    private protected FakeVcpu Start(int id = 0)
    {
        VirtualCpu cpu = CpuOf(id);
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
        return GuestOf(id);
    }

    private protected void Map(
        ulong address, ulong length, int segment = 0, MemoryProtection protection = MemoryProtection.All, bool isRam = true)
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.MemoryMap.AllocateSegment(freeze, new SegmentId(segment), length, isRam);
        Machine.MemoryMap.Map(freeze, Mapping(address, length, segment, 0, protection));
    }

    private protected static GuestMemoryMapping Mapping(
        ulong address,
        ulong length,
        int segment = 0,
        ulong offset = 0,
        MemoryProtection protection = MemoryProtection.All,
        MapFlags flags = MapFlags.None) =>
        new(At(address), length, new SegmentId(segment), offset, protection, flags);

    private protected static GuestPhysicalAddress At(ulong address) => new(address);

    /// <summary>Enters the guest and gives the exit that comes to the caller.</summary>
    private protected VmExit Run() => Cpu.Run(VmEntry.Default);

    private protected VmExit Run(in VmEntry entry) => Cpu.Run(entry);
}
