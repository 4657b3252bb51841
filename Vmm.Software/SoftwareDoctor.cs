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
    private const double PassSeconds = 0.03;
    private const int InstructionsPerLoop = 4;
    private const int PortExits = 2_000;

    // The runtime compiles hot code anew, in the background and behind a pause, so the first passes are many times slower than the last.
    private static readonly TimeSpan s_warmUp = TimeSpan.FromMilliseconds(600);

    // inc eax / add ebx,eax / dec ecx / jnz the first, in 32-bit operands, then out 0x80,al / jmp to it, for ever.
    private static readonly byte[] s_code =
        [0x66, 0x40, 0x66, 0x01, 0xc3, 0x66, 0x49, 0x75, 0xf7, 0xe6, 0x80, 0xeb, 0xfc];

    /// <summary>Runs a small guest for about a second, until the runtime has compiled what runs often; the fastest pass counts.</summary>
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

        VmExit exit = default;
        double best = 0;
        uint loops = FirstLoops;
        long begin = Stopwatch.GetTimestamp();
        do
        {
            double seconds = Math.Max(Loop(cpu, ref exit, loops).TotalSeconds, 1e-6);
            best = Math.Max(best, loops * (double)InstructionsPerLoop / seconds);
            loops = (uint)Math.Clamp(loops * PassSeconds / seconds, FirstLoops, 100e6);
        }
        while (Stopwatch.GetElapsedTime(begin) < s_warmUp);

        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < PortExits; i++)
        {
            cpu.Fulfill();
            RunToPort(cpu, ref exit);
        }

        return new SoftwareMeasurements(best, Stopwatch.GetElapsedTime(start) / PortExits);
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
