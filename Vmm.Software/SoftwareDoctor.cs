// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Software;

/// <summary>Measures what the processor in software is good for on this host.</summary>
public static class SoftwareDoctor
{
    private const ulong CodeAddress = 0x1000;
    private const ulong MemoryLength = 0x10000;
    private const uint FirstLoops = 200_000;
    private const int InstructionsPerLoop = 4;
    private const int PortExits = 2_000;

    // inc eax / add ebx,eax / dec ecx / jnz the first, in 32-bit operands, then out 0x80,al / jmp to it, for ever.
    private static readonly byte[] s_code =
        [0x66, 0x40, 0x66, 0x01, 0xc3, 0x66, 0x49, 0x75, 0xf7, 0xe6, 0x80, 0xeb, 0xfc];

    /// <summary>Runs a small guest for a fraction of a second.</summary>
    /// <returns>How fast it was.</returns>
    public static SoftwareMeasurements Measure()
    {
        using SoftwareBackend backend = new();
        using IBackendVm vm = backend.CreateVm(
            new BackendVmOptions("doctor", 1, InterruptControllerMode.Userspace, TrackDirty: false, MsrExits: false, HypercallExits: false));
        using GuestMemoryBlock memory = backend.AllocateMemory(MemoryLength, default);
        using IDisposable placement = vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(default, MemoryLength), memory, 0, ReadOnly: false, TrackDirty: false));
        using IBackendVcpu cpu = vm.CreateVcpu(new VcpuId(0));
        s_code.CopyTo(memory.GetSpan(CodeAddress, s_code.Length));
        cpu.SetRegister(RegisterName.Cs, 0);
        cpu.SetSegmentDescriptor(RegisterName.Cs, cpu.GetSegmentDescriptor(RegisterName.Cs) with { Base = 0 });

        // The first pass lets the JIT compiler see what is hot.
        VmExit exit = default;
        TimeSpan first = Loop(cpu, ref exit, FirstLoops);
        uint loops = (uint)Math.Clamp(FirstLoops * (0.1 / Math.Max(first.TotalSeconds, 0.001)), FirstLoops, 100e6);
        TimeSpan second = Loop(cpu, ref exit, loops);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < PortExits; i++)
        {
            cpu.Fulfill();
            RunToPort(cpu, ref exit);
        }

        return new SoftwareMeasurements(loops * (double)InstructionsPerLoop / second.TotalSeconds, Stopwatch.GetElapsedTime(start) / PortExits);
    }

    private static TimeSpan Loop(IBackendVcpu cpu, ref VmExit exit, uint loops)
    {
        cpu.Discard();
        cpu.SetRegister(RegisterName.Rip, CodeAddress);
        cpu.SetRegister(RegisterName.Rcx, loops);
        long start = Stopwatch.GetTimestamp();
        RunToPort(cpu, ref exit);
        return Stopwatch.GetElapsedTime(start);
    }

    private static void RunToPort(IBackendVcpu cpu, ref VmExit exit)
    {
        do
        {
            cpu.Run(ref exit);
        }
        while (exit.Code == ExitCode.Bogus);
    }
}
