// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Diagnostics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>
/// A real-mode guest with a PC's chips: it sets its local APIC up, repeats a few instructions a number of times between two outputs, and
/// ends each interrupt 40h.
/// </summary>
internal sealed class ChipGuest : IPortHandler, IDisposable
{
    private const ulong MemoryLength = 0x100000;
    private const ulong CodeAddress = 0x1000;
    private const ulong HandlerAddress = 0x2000;
    private const ushort Port = 0x99;
    private const byte Vector = 0x40;
    private readonly VirtualMachine _machine;
    private long _start;
    private long _end;
    private long _allocatedAtStart;
    private long _allocatedAtEnd;

    /// <param name="backend">The hypervisor.</param>
    /// <param name="mode">Who has the chips.</param>
    /// <param name="repeated">What is repeated.</param>
    /// <param name="count">How often.</param>
    public ChipGuest(KvmBackend backend, InterruptControllerMode mode, ReadOnlySpan<byte> repeated, int count)
    {
        _machine = Create(backend, mode);
        _machine.Ports.Attach(Port, this);
        _machine.Memory.TryWrite(new GuestPhysicalAddress(CodeAddress), Code(repeated, count));

        // mov dword gs:[0xb0], 0 / iret
        _machine.Memory.TryWrite(
            new GuestPhysicalAddress(HandlerAddress), [0x65, 0x66, 0xc7, 0x06, 0xb0, 0x00, 0, 0, 0, 0, 0xcf]);
        _machine.Memory.TryWrite(new GuestPhysicalAddress(Vector * 4), [0, (byte)(HandlerAddress >> 8), 0, 0]);
    }

    /// <summary>mov dword gs:[0x380], 1 with a local vector for one shot: a timer interrupt at once; then a halt.</summary>
    public static ReadOnlySpan<byte> TimerInterrupt =>
        [0xfa, 0x65, 0x66, 0xc7, 0x06, 0x80, 0x03, 1, 0, 0, 0, 0xfb, 0xf4];

    /// <summary>mov dword gs:[0x300], a command to itself; then a halt.</summary>
    public static ReadOnlySpan<byte> SelfInterrupt =>
        [0xfa, 0x65, 0x66, 0xc7, 0x06, 0x00, 0x03, Vector, 0x40, 4, 0, 0xfb, 0xf4];

    /// <summary>mov dword gs:[0xb0], 0.</summary>
    public static ReadOnlySpan<byte> EndOfInterrupt => [0x65, 0x66, 0xc7, 0x06, 0xb0, 0x00, 0, 0, 0, 0];

    /// <summary>Creates a VM with one vCPU in real mode at the code and the register page of the local APIC behind GS.</summary>
    public static VirtualMachine Create(KvmBackend backend, InterruptControllerMode mode)
    {
        VirtualMachine machine = new VirtualMachineFactory(backend).Create(
            new VirtualMachineOptions
            {
                Name = "chips",
                MaxCpus = 1,
                MaxPortHandlers = 256,
                PlatformChips = true,
                InterruptControllerMode = mode,
            });
        using (IVcpuFreeze freeze = machine.FreezeVcpus())
        {
            machine.MemoryMap.AllocateSegment(freeze, new SegmentId(0), MemoryLength, isSystemMemory: true);
            machine.MemoryMap.Map(freeze, new GuestMemoryMapping(
                default, MemoryLength, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        VirtualCpu cpu = machine.GetVcpu(default);
        using (cpu.Acquire())
        {
            cpu.Activate();
            cpu.SetRegister(RegisterName.Cs, 0);
            cpu.SetSegmentDescriptor(RegisterName.Cs, cpu.GetSegmentDescriptor(RegisterName.Cs) with { Base = 0 });
            cpu.SetSegmentDescriptor(RegisterName.Gs, cpu.GetSegmentDescriptor(RegisterName.Gs) with { Base = 0xfee00000 });
            cpu.GeneralRegisters = new GeneralRegisters { Rip = CodeAddress, Rflags = 2, Rsp = 0x8000 };
            cpu.SetRunState(VcpuRunState.Run);
        }

        return machine;
    }

    /// <summary>Bytes that the vCPU's thread allocated between the two outputs.</summary>
    public long Allocated => _allocatedAtEnd - _allocatedAtStart;

    /// <summary>Runs the guest to its second output.</summary>
    /// <returns>The time between the outputs.</returns>
    public TimeSpan Run()
    {
        VirtualCpu cpu = _machine.GetVcpu(default);
        while (_end == 0)
        {
            ref readonly VmExit exit = ref cpu.Run(VmEntry.Default);
            if (exit.Code is not (ExitCode.Bogus or ExitCode.Inout or ExitCode.RequestIdle))
            {
                throw new InvalidOperationException($"the guest ended: {exit}");
            }
        }

        return Stopwatch.GetElapsedTime(_start, _end);
    }

    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        value = 0;
        return PortOutcome.Unclaimed;
    }

    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        if (_start == 0)
        {
            _allocatedAtStart = GC.GetAllocatedBytesForCurrentThread();
            _start = Stopwatch.GetTimestamp();
            return PortOutcome.Handled;
        }

        _end = Stopwatch.GetTimestamp();
        _allocatedAtEnd = GC.GetAllocatedBytesForCurrentThread();
        vcpu.RequestYield();
        return PortOutcome.Handled;
    }

    public void Dispose() => _machine.Dispose();

    /// <summary>
    /// mov dword gs:[0xf0], 0x1ff / mov dword gs:[0x3e0], 0xb / mov dword gs:[0x320], 0x40 / mov ecx, count / out 0x99, al /
    /// L: ... / dec ecx / jnz L / out 0x99, al.
    /// </summary>
    private static byte[] Code(ReadOnlySpan<byte> repeated, int count)
    {
        Span<byte> number = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(number, count);
        short back = (short)-(repeated.Length + 6);
        return
        [
            0x65, 0x66, 0xc7, 0x06, 0xf0, 0x00, 0xff, 0x01, 0, 0,
            0x65, 0x66, 0xc7, 0x06, 0xe0, 0x03, 0x0b, 0, 0, 0,
            0x65, 0x66, 0xc7, 0x06, 0x20, 0x03, Vector, 0, 0, 0,
            0x66, 0xb9, .. number,
            0xe6, (byte)Port,
            .. repeated,
            0x66, 0x49,
            0x0f, 0x85, unchecked((byte)back), unchecked((byte)(back >> 8)),
            0xe6, (byte)Port,
        ];
    }
}
