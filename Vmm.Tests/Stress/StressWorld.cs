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
    public const int Cpus = 3;
    public const ulong RamLength = 0x10000;
    public const ulong SecondRam = 0x100000;
    public const ulong SecondLength = 0x2000;
    public const ulong Counter = 0x700;

    private const ulong Code = 0x1000;
    private const ulong NmiHandler = 0x1100;
    private const ulong NmiCounter = 0x600;
    private const ushort Port = 0x42;

    private readonly IHypervisorBackend _backend;
    private readonly long[] _rounds = new long[Cpus];
    private VirtualMachine _machine;
    private int _created;

    public StressWorld(IHypervisorBackend backend)
    {
        _backend = backend;
        _machine = Create();
    }

    public VirtualMachine Machine => Volatile.Read(ref _machine);

    public bool Executes => _backend is not FakeBackend;

    /// <summary>How often a vCPU's run has returned.</summary>
    public long Round(int cpu) => Volatile.Read(ref _rounds[cpu]);

    public void CountRound(int cpu) => Interlocked.Increment(ref _rounds[cpu]);

    /// <summary>Puts a new VM in the present one's place and destroys that one under whoever uses it.</summary>
    public void Replace() => Interlocked.Exchange(ref _machine, Create()).Dispose();

    /// <summary>Makes a vCPU ready to run the guest.</summary>
    public static void Prepare(VirtualMachine machine, VirtualCpu cpu)
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

    private static void FakeGuest(FakeVcpu vcpu, ref VmExit exit)
    {
        switch (Random.Shared.Next(4))
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
        VirtualMachine machine = new VirtualMachineFactory(_backend).Create(new VirtualMachineOptions
        {
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
