// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;

namespace Vmm.Benchmarks.Emulation;

/// <summary>CPUID with 256 entries and model-specific registers, each asked for in random order.</summary>
internal static class LookupBenchmarks
{
    private const int Queries = 4096;
    private const int Rounds = 50;
    private const int Repeats = 25;

    /// <summary>Runs all.</summary>
    internal static void Run()
    {
        Cpuid();
        Msrs();
    }

    private static void Cpuid()
    {
        CpuidEntry[] entries =
        [
            .. Enumerable.Range(0, 128).Select(number => new CpuidEntry((uint)number / 4, (uint)number % 4, true, (uint)number, 0, 0, 0)),
            .. Enumerable.Range(0, 128).Select(number => new CpuidEntry(0x8000_0000 + (uint)number, 0, false, (uint)number, 0, 0, 0)),
        ];
        CpuidLookup lookup = new(CpuidConfiguration.Create(CpuidFlags.IntelFallback, entries));
        Random random = new(7);
        (uint Function, uint Index)[] hits = [.. Enumerable.Range(0, Queries).Select(_ => entries[random.Next(entries.Length)]).Select(entry => (entry.Function, entry.Index))];
        (uint Function, uint Index)[] misses = [.. Enumerable.Range(0, Queries).Select(_ => ((uint)random.Next(200), (uint)random.Next(10)))];
        Report("cpuid, 256 entries, found", () => Sum(lookup, hits));
        Report("cpuid, 256 entries, any query", () => Sum(lookup, misses));
    }

    private static long Sum(CpuidLookup lookup, (uint Function, uint Index)[] queries)
    {
        long sum = 0;
        foreach ((uint function, uint index) in queries)
        {
            sum += lookup.Query(function, index).Eax;
        }

        return sum;
    }

    private static void Msrs()
    {
        MsrFile file = new(new MsrFileOptions { ServesHypervisorLayer = true, MachineCheckBanks = 32 });
        Random random = new(7);
        MsrIndex[] known = [.. Enumerable.Range(0, Queries).Select(_ => MsrRegistry.All[random.Next(MsrRegistry.All.Length)].Index)];
        MsrIndex[] unknown = [.. Enumerable.Range(0, Queries).Select(_ => new MsrIndex((uint)random.NextInt64()))];
        Report($"msr read, {MsrRegistry.All.Length} registers", () => Sum(file, known));
        Report("msr read, unknown", () => Sum(file, unknown));
        Report("msr write", () => Write(file, known));
    }

    private static long Sum(MsrFile file, MsrIndex[] queries)
    {
        long sum = 0;
        foreach (MsrIndex index in queries)
        {
            sum += (long)file.Read(index, 1, out ulong value) + (long)value;
        }

        return sum;
    }

    private static long Write(MsrFile file, MsrIndex[] queries)
    {
        long sum = 0;
        foreach (MsrIndex index in queries)
        {
            sum += (long)file.Write(index, 0, 1);
        }

        return sum;
    }

    private static void Report(string name, Func<long> action)
    {
        long sum = 0;
        long warm = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(warm).TotalSeconds < 1)
        {
            sum += action();
        }

        List<double> times = [];
        long allocated = 0;
        for (int repeat = 0; repeat < Repeats; repeat++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            for (int round = 0; round < Rounds; round++)
            {
                sum += action();
            }

            times.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds / (Rounds * Queries));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        times.Sort();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-32} {times[times.Count / 2]:F1} ns (bar 20), {(double)allocated / (Rounds * Queries):F3} bytes each ({sum & 1})"));
    }
}
