// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Stress;

/// <summary>
/// The VM that everybody works on, replaced when it is destroyed, and its guest: real-mode code that counts and writes to a port, with a
/// handler for NMIs that counts too. On the scripted backend a script does the like.
/// </summary>
internal sealed class StressWorld : IDisposable
{
    public const ulong RamLength = 0x10000;
    public const ulong SecondRam = 0x100000;
    public const ulong SecondLength = 0x2000;
    public const ulong Counter = 0x700;

    private const ulong Code = 0x1000;
    private const ulong NmiHandler = 0x1100;
    private const ulong NmiCounter = 0x600;
    private const ushort Port = 0x42;

    private readonly IHypervisorBackend _backend;
    private readonly VirtualMachineFactory _factory;
    private readonly InterruptControllerMode _mode;
    private readonly Random[] _scripts;
    private readonly long[] _rounds;
    private readonly long[] _yields;
    private VirtualMachine _machine;
    private int _created;

    public StressWorld(IHypervisorBackend backend, InterruptControllerMode mode, int seed)
    {
        _backend = backend;
        _factory = new VirtualMachineFactory(backend);
        _mode = mode;
        Cpus = mode == InterruptControllerMode.Userspace ? 3 : 1;
        _rounds = new long[Cpus];
        _yields = new long[Cpus];
        _scripts = [.. Enumerable.Range(0, Cpus).Select(id => new Random(unchecked((seed * Cpus) + id)))];
        _machine = Create();
    }

    public VirtualMachine Machine => Volatile.Read(ref _machine);

    /// <summary>How many vCPUs there are: one where the others would wait in the hypervisor for a start-up interrupt.</summary>
    public int Cpus { get; }

    public bool Executes => _backend is not FakeBackend;

    /// <summary>How often a vCPU's run has returned.</summary>
    public long Round(int cpu) => Volatile.Read(ref _rounds[cpu]);

    public void CountRound(int cpu) => Interlocked.Increment(ref _rounds[cpu]);

    /// <summary>How often a vCPU's run has returned to look again, as it does for a request to yield.</summary>
    public long Yields(int cpu) => Volatile.Read(ref _yields[cpu]);

    public void CountYield(int cpu) => Interlocked.Increment(ref _yields[cpu]);

    /// <summary>How often the guest's handler for NMIs has counted; less than NMIs came where two vCPUs count at once.</summary>
    public static uint Nmis(VirtualMachine machine)
    {
        byte[] bytes = new byte[sizeof(uint)];
        machine.Memory.TryRead(new(NmiCounter), bytes).Should().BeTrue();
        return BitConverter.ToUInt32(bytes);
    }

    /// <summary>Puts a new VM in the present one's place and destroys that one under whoever uses it.</summary>
    public void Replace() => Interlocked.Exchange(ref _machine, Create()).Dispose();

    /// <summary>Makes a vCPU ready to run the guest.</summary>
    public void Prepare(VirtualMachine machine, VirtualCpu cpu)
    {
        using IDisposable owned = cpu.Acquire();
        if (machine.BackendVm is FakeVm fake)
        {
            cpu.GetRegister(RegisterName.Rip);
            fake.Vcpu(cpu.Id.Value).WhenEmpty = FakeGuest;
        }

        cpu.SetRegister(RegisterName.Cs, 0);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x9b)));
        cpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rsp = 0x8000 + ((ulong)cpu.Id.Value * 0x1000), Rflags = 2 };
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
    }

    /// <summary>Makes the vCPUs leave the guest.</summary>
    public void StopRuns()
    {
        VirtualMachine machine = Machine;
        if (!machine.IsDisposed)
        {
            for (int i = 0; i < Cpus; i++)
            {
                machine.GetVcpu(new VcpuId(i)).RequestYield();
            }
        }
    }

    public void Dispose() => Machine.Dispose();

    /// <summary>What a script does follows from the seed: one thread at a time executes it, the vCPU's.</summary>
    private void FakeGuest(FakeVcpu vcpu, ref VmExit exit)
    {
        switch (_scripts[vcpu.Id.Value].Next(4))
        {
            case 0:
                FakeVcpu.Spin(vcpu, ref exit);
                break;
            case 1:
                vcpu.In(ref exit, Port, 1);
                break;
            default:
                vcpu.Out(ref exit, Port, 1, 0x5a);
                break;
        }
    }

    private VirtualMachine Create()
    {
        VirtualMachine machine = _factory.Create(new VirtualMachineOptions
        {
            InterruptControllerMode = _mode,
            Name = $"stress-{Interlocked.Increment(ref _created)}",
            MaxCpus = Cpus,
            Flags = CreateFlags.TrackDirty,
            UnclaimedAccess = UnclaimedAccess.Default,
        });
        using (IVcpuFreeze freeze = machine.FreezeVcpus())
        {
            machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), RamLength, true);
            machine.MemoryMap.Map(
                freeze, new GuestMemoryMapping(default, RamLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        // inc dword [0x700] / out 0x42, al / in al, 0x42 / jmp back
        Write(machine, Code, 0x66, 0xff, 0x06, 0x00, 0x07, 0xe6, (byte)Port, 0xe4, (byte)Port, 0xeb, 0xf5);

        // inc dword [0x600] / iret, from vector 2
        Write(machine, NmiHandler, 0x66, 0xff, 0x06, 0x00, 0x06, 0xcf);
        Write(machine, 8, unchecked((byte)NmiHandler), (byte)(NmiHandler >> 8), 0, 0);
        machine.Ports.Attach(Port, new CountingPort());
        return machine;
    }

    private static void Write(VirtualMachine machine, ulong address, params byte[] bytes) =>
        machine.Memory.TryWrite(new(address), bytes).Should().BeTrue();

    private sealed class CountingPort : IPortHandler
    {
        private int _accesses;

        public PortOutcome Read(IVirtualCpu cpu, ushort port, int bytes, out uint value)
        {
            value = (uint)Interlocked.Increment(ref _accesses);
            return PortOutcome.Handled;
        }

        public PortOutcome Write(IVirtualCpu cpu, ushort port, int bytes, uint value)
        {
            Interlocked.Increment(ref _accesses);
            return PortOutcome.Handled;
        }
    }
}
