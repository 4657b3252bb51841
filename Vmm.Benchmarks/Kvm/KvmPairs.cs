// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>The KVM backend under the engine, beside the same loops in C.</summary>
internal static class KvmPairs
{
    private const int Exits = 20_000;
    private const int Lives = 60;
    private const int Kicks = 100;
    private const int DefaultPairs = 15;

    private static ReadOnlySpan<byte> OutLoop => [0xe6, 0x99, 0xeb, 0xfc]; // L: out 0x99,al; jmp L

    private static ReadOnlySpan<byte> InLoop => [0xe4, 0x99, 0xeb, 0xfc]; // L: in al,0x99; jmp L

    private static ReadOnlySpan<byte> MmioLoop => [0xa2, 0x00, 0x00, 0xeb, 0xfb]; // L: mov [0],al; jmp L

    // mov ecx,0x4b4d0000; L: rdmsr; jmp L
    private static ReadOnlySpan<byte> MsrLoop => [0x66, 0xb9, 0, 0, 0x4d, 0x4b, 0x0f, 0x32, 0xeb, 0xfc];

    public static int Run(string[] arguments)
    {
        int pairs = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : DefaultPairs;
        using KvmBackend backend = KvmBackend.Open();
        using CTwin twin = CTwin.Compile("twin.c");
        Console.WriteLine($"host: {backend.Description.Virtualization}, {Environment.ProcessorCount} CPUs, {pairs} interleaved pairs");
        Console.WriteLine($"{"what",-44} {"C#",10} {"C",10} {"",-3} ratio");

        MeasureExits(backend, twin, pairs, "port output", OutLoop, "out", 1.05);
        MeasureExits(backend, twin, pairs, "port input", InLoop, "in", 1.05);
        MeasureExits(backend, twin, pairs, "MMIO write", MmioLoop, "mmio", 1.05);
        MeasureExits(backend, twin, pairs, "RDMSR", MsrLoop, "msr", 1.05);
        MeasureExits(backend, twin, pairs, "port output, registers read and written", OutLoop, "out", 1.1, TouchRegisters);
        MeasureExits(
            backend, twin, pairs, "port input, registers read and written", InLoop, "in-complete", 1.1, TouchRegisters);
        Pairs.Measure(
            "VM create, first exit, dispose",
            "us",
            pairs,
            1.2,
            () => Live(backend, Lives) / 1000,
            () => twin.Run("lifecycle", Lives.ToString(CultureInfo.InvariantCulture)) / 1000);
        using KickLoop kicks = new(backend);
        Pairs.Measure(
            "kick of a spinning vCPU, median",
            "us",
            pairs,
            2,
            () => kicks.Measure(Kicks) / 1000,
            () => twin.Run("kick", Kicks.ToString(CultureInfo.InvariantCulture)) / 1000);
        return 0;
    }

    private static void MeasureExits(
        KvmBackend backend,
        CTwin twin,
        int pairs,
        string name,
        ReadOnlySpan<byte> code,
        string mode,
        double bar,
        Action<IVirtualCpu>? inHandler = null)
    {
        using ExitLoop loop = new(backend, code, inHandler);
        Pairs.Measure(
            name,
            "ns",
            pairs,
            bar,
            () => loop.Measure(Exits),
            () => twin.Run(mode, Exits.ToString(CultureInfo.InvariantCulture)),
            () => string.Create(CultureInfo.InvariantCulture, $"{loop.AllocatedPerExit:0.00} bytes an exit"));
    }

    private static void TouchRegisters(IVirtualCpu vcpu) =>
        vcpu.SetRegister(RegisterName.Rbx, vcpu.GetRegister(RegisterName.Rdx) + vcpu.GetRegister(RegisterName.Rsi));

    private static double Live(KvmBackend backend, int count)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            using VirtualMachine machine = ExitLoop.CreateMachine(backend, [0xe6, 0x99, 0xf4]); // out 0x99,al; hlt
            machine.GetVcpu(default).Run(VmEntry.Default);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / count;
    }
}
