// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Engine.SecondChance;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>What executing KVM's emulation failures costs, and how long a batch should be where KVM interprets the guest.</summary>
internal static class SecondChances
{
    private const int DefaultRounds = 9;
    private const int Failures = 4000;
    private const ushort EndPort = 0x99;
    private const int LongLimit = 16384;

    private static readonly long[] s_limits = [1, 16, 64, 256, 1024, 4096, LongLimit];

    public static int Run(string[] arguments)
    {
        int rounds = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : DefaultRounds;
        using KvmBackend backend = KvmBackend.Open();
        if (!backend.Description.InterpretsKernelMode)
        {
            Console.WriteLine("this host executes kernel mode on the processor: nothing fails that could be measured");
            return 0;
        }

        MeasureOne(backend, rounds);
        StepCosts.Measure(backend, rounds);
        foreach (int distance in (ReadOnlySpan<int>)[20, 200, 2000])
        {
            MeasureLimits(backend, rounds, distance);
        }

        return 0;
    }

    /// <summary>A loop of one POPCNT, beside a loop of one port output.</summary>
    private static void MeasureOne(KvmBackend backend, int rounds)
    {
        using ExitLoop exits = new(backend, [0xe6, 0x99, 0xeb, 0xfc]); // L: out 0x99,al; jmp L
        double[] chance = new double[rounds];
        double[] exit = new double[rounds];
        double allocated = 0;
        for (int round = 0; round < rounds; round++)
        {
            (double total, allocated) = Time(backend, Code(Failures, 0), limit: 1);
            chance[round] = total / Failures;
            exit[round] = exits.Measure(Failures) / 1000;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"one second chance {Median(chance):0.0} us, one port exit {Median(exit):0.0} us, ratio {Median(chance) / Median(exit):0.00}; {allocated / Failures:0.00} bytes each"));
    }

    /// <summary>A loop of one POPCNT and some other instructions, for each limit of a batch.</summary>
    private static void MeasureLimits(KvmBackend backend, int rounds, int distance)
    {
        int count = Math.Max(100, 200_000 / distance);
        double[][] times = [.. s_limits.Select(_ => new double[rounds])];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < s_limits.Length; i++)
            {
                times[i][round] = Time(backend, Code(count, distance), s_limits[i]).Microseconds;
            }
        }

        double instructions = (double)count * (distance + 3);
        IEnumerable<string> figures = s_limits.Select((limit, i) => string.Create(
            CultureInfo.InvariantCulture, $"{limit}: {instructions / Median(times[i]):0.0}"));
        Console.WriteLine($"a failure every {distance + 3} instructions, millions of instructions a second by limit: {string.Join(", ", figures)}");
    }

    /// <summary>mov ecx, count; L: popcnt eax, ebx; inc dx (some times); dec ecx; jnz L; out EndPort, al.</summary>
    private static byte[] Code(int count, int distance)
    {
        byte[] code = new byte[6 + 5 + distance + 2 + 4 + 1];
        code[0] = 0x66;
        code[1] = 0xb9;
        BinaryPrimitives.WriteInt32LittleEndian(code.AsSpan(2), count);
        ((ReadOnlySpan<byte>)[0xf3, 0x66, 0x0f, 0xb8, 0xc3]).CopyTo(code.AsSpan(6));
        code.AsSpan(11, distance).Fill(0x42);
        int at = 11 + distance;
        ((ReadOnlySpan<byte>)[0x66, 0x49, 0x0f, 0x85]).CopyTo(code.AsSpan(at));
        BinaryPrimitives.WriteInt16LittleEndian(code.AsSpan(at + 4), (short)(6 - (at + 6)));
        code[^1] = 0xe6;
        return [.. code, (byte)EndPort];
    }

    private static (double Microseconds, double Allocated) Time(KvmBackend backend, byte[] code, long limit)
    {
        using VirtualMachine machine = ExitLoop.CreateMachine(backend, code);
        machine.BatchLimit = limit;
        machine.Ports.Attach(EndPort, new End());
        VirtualCpu cpu = machine.GetVcpu(default);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        ExitCode exit = cpu.Run(VmEntry.Default).Code;
        double elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        if (exit != ExitCode.InstructionEmulation || cpu.Refusal != EmulationRefusal.RefusedByDevice)
        {
            throw new InvalidOperationException($"the guest ended by {exit}, {cpu.Refusal}");
        }

        return (elapsed, GC.GetAllocatedBytesForCurrentThread() - allocated);
    }

    private static double Median(double[] values)
    {
        double[] sorted = [.. values];
        Array.Sort(sorted);
        return sorted[sorted.Length / 2];
    }

    /// <summary>A device that ends the guest: it refuses.</summary>
    private sealed class End : IPortHandler
    {
        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = 0;
            return PortOutcome.Refused;
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value) => PortOutcome.Refused;
    }
}
