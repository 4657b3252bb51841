// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>A real-mode guest that does one access for ever, answered by a C# handler of the engine.</summary>
internal sealed class ExitLoop : IPortHandler, IMmioHandler, IMsrHandler, IDisposable
{
    public const ulong MemoryLength = 0x200000;
    public const ulong CodeAddress = 0x1000;

    private const ushort Port = 0x99;
    private const uint Msr = 0x4b4d0000;

    private readonly VirtualMachine _machine;
    private readonly Action<IVirtualCpu>? _inHandler;
    private int _left;
    private long _start;
    private long _end;
    private long _allocatedAtStart;
    private long _allocatedAtEnd;
    private ulong _sum;

    /// <param name="backend">The hypervisor.</param>
    /// <param name="code">The guest's code.</param>
    /// <param name="inHandler">What the handler does besides answering.</param>
    public ExitLoop(KvmBackend backend, ReadOnlySpan<byte> code, Action<IVirtualCpu>? inHandler = null)
    {
        _inHandler = inHandler;
        _machine = CreateMachine(backend, code);
        _machine.Ports.Attach(Port, this);
        _machine.Mmio.Attach(GuestPhysicalRange.Create(new(MemoryLength), 0x1000), this);
        _machine.Msrs.Attach(new MsrIndex(Msr), new MsrIndex(Msr), this);
    }

    /// <summary>Bytes allocated for each exit of the last measurement.</summary>
    public double AllocatedPerExit { get; private set; }

    /// <summary>Creates a VM with one vCPU in real mode at the code.</summary>
    public static VirtualMachine CreateMachine(KvmBackend backend, ReadOnlySpan<byte> code)
    {
        VirtualMachine machine = new VirtualMachineFactory(backend).Create(
            new VirtualMachineOptions { Name = "benchmark", MaxCpus = 1 });
        using (IVcpuFreeze freeze = machine.FreezeVcpus())
        {
            machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), MemoryLength, isSystemMemory: true);
            machine.MemoryMap.Map(freeze, new GuestMemoryMapping(
                default, MemoryLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        machine.Memory.TryWrite(new GuestPhysicalAddress(CodeAddress), code);
        VirtualCpu cpu = machine.GetVcpu(default);
        using (cpu.Acquire())
        {
            cpu.Activate();
            cpu.SetRegister(RegisterName.Cs, 0);
            cpu.SetSegmentDescriptor(RegisterName.Cs, cpu.GetSegmentDescriptor(RegisterName.Cs) with { Base = 0 });
            cpu.SetSegmentDescriptor(
                RegisterName.Ds, cpu.GetSegmentDescriptor(RegisterName.Ds) with { Base = MemoryLength });
            cpu.GeneralRegisters = new GeneralRegisters { Rip = CodeAddress, Rflags = 2, Rsp = 0x8000 };
            cpu.SetRunState(VcpuRunState.Run);
        }

        return machine;
    }

    /// <summary>Lets the guest exit a number of times.</summary>
    /// <returns>Nanoseconds for each exit.</returns>
    public double Measure(int count)
    {
        _left = count + 1;
        VirtualCpu cpu = _machine.GetVcpu(default);
        while (_left > 0)
        {
            ref readonly VmExit exit = ref cpu.Run(VmEntry.Default);
            if (exit.Code != ExitCode.Bogus)
            {
                throw new InvalidOperationException($"the guest ended: {exit}");
            }
        }

        AllocatedPerExit = (double)(_allocatedAtEnd - _allocatedAtStart) / count;
        return Stopwatch.GetElapsedTime(_start, _end).TotalNanoseconds / count;
    }

    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        value = 0x5a;
        Count(vcpu);
        return PortOutcome.Handled;
    }

    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        _sum += value;
        Count(vcpu);
        return PortOutcome.Handled;
    }

    public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
    {
        Count(vcpu);
        return _sum;
    }

    public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value)
    {
        _sum += value;
        Count(vcpu);
    }

    public MsrOutcome Read(IVirtualCpu vcpu, MsrIndex index, out ulong value)
    {
        value = _sum;
        Count(vcpu);
        return MsrOutcome.Handled;
    }

    public MsrOutcome Write(IVirtualCpu vcpu, MsrIndex index, ulong value)
    {
        _sum += value;
        Count(vcpu);
        return MsrOutcome.Handled;
    }

    public void Dispose() => _machine.Dispose();

    private void Count(IVirtualCpu vcpu)
    {
        _inHandler?.Invoke(vcpu);
        if (_start == 0 || _end != 0)
        {
            _start = Stopwatch.GetTimestamp();
            _end = 0;
            _allocatedAtStart = GC.GetAllocatedBytesForCurrentThread();
        }

        if (--_left == 0)
        {
            _end = Stopwatch.GetTimestamp();
            _allocatedAtEnd = GC.GetAllocatedBytesForCurrentThread();
            vcpu.RequestYield();
        }
    }
}
