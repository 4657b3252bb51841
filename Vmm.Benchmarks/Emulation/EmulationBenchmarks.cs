// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;

namespace Vmm.Benchmarks.Emulation;

/// <summary>
/// Decoding beside Iced's one-shot decoder, and execution beside a small interpreter in C, each pair interleaved and reported
/// as the ratio of medians: absolute times on shared machines are noise.
/// </summary>
internal static class EmulationBenchmarks
{
    private const int Pairs = 15;
    private const int Windows = 4096;

    /// <summary>Runs all; with arguments only those named <c>decode</c>, <c>execute</c> or <c>cpuid</c>.</summary>
    internal static int Run(string[] args)
    {
        if (args.Length == 0 || args.Contains("decode"))
        {
            foreach (CodeSize codeSize in Enum.GetValues<CodeSize>())
            {
                Decode(codeSize);
            }
        }

        if (args.Length == 0 || args.Contains("execute"))
        {
            using CReference? reference = CReference.TryBuild();
            Execute("register loop", GuestLoops.Registers, reference, CReference.RegisterLoop);
            Execute("copy loop", GuestLoops.Copy, reference, CReference.CopyLoop);
            foreach (bool translated in (ReadOnlySpan<bool>)[false, true])
            {
                string how = translated ? ", translated" : "";
                Execute("64-bit register loop" + how, () => Translated(GuestLoops.RegistersPaged(), translated), null, CReference.RegisterLoop);
                Execute("64-bit copy loop" + how, () => Translated(GuestLoops.CopyPaged(), translated), null, CReference.CopyLoop);
                Execute("64-bit big numbers" + how, () => Translated(GuestLoops.BigNumbersPaged(), translated), null, CReference.CopyLoop);
            }

            Execute("scalar doubles", GuestLoops.Doubles, null, CReference.RegisterLoop);
            Execute("x87", GuestLoops.X87, null, CReference.RegisterLoop);
        }

        if (args.Length == 0 || args.Contains("cpuid"))
        {
            LookupBenchmarks.Run();
        }

        return 0;
    }

    private static FlatCpu Translated(FlatCpu cpu, bool translated)
    {
        cpu.State.TranslatesAfter = translated ? 1000 : 0;
        return cpu;
    }

    private static void Decode(CodeSize codeSize)
    {
        Random random = new(3);
        byte[] bytes = new byte[Windows * Decoder.MaximumLength];
        random.NextBytes(bytes);
        int bitness = 16 << (int)codeSize;
        List<double> ours = [];
        List<double> theirs = [];
        long allocated = 0;
        WarmUp(() => DecodeAll(bytes, codeSize) + DecodeAllByIced(bytes, bitness));
        for (int pair = 0; pair < Pairs; pair++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            double first = Time(() => DecodeAll(bytes, codeSize));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            double second = Time(() => DecodeAllByIced(bytes, bitness));
            ours.Add(first / Windows);
            theirs.Add(second / Windows);
        }

        double mine = Median(ours);
        double iced = Median(theirs);
        Report($"decode {codeSize}", $"{mine:F1} ns, Iced one-shot {iced:F1} ns, ratio {mine / iced:F3} (bar 0.35), {Math.Max(0, allocated - 200) / Windows} bytes each");
    }

    private static long DecodeAll(byte[] bytes, CodeSize codeSize)
    {
        long sum = 0;
        for (int at = 0; at < bytes.Length; at += Decoder.MaximumLength)
        {
            Decoder.Decode(bytes.AsSpan(at, Decoder.MaximumLength), codeSize, out Instruction instruction);
            sum += instruction.Length;
        }

        return sum;
    }

    private static long DecodeAllByIced(byte[] bytes, int bitness)
    {
        long sum = 0;
        for (int at = 0; at < bytes.Length; at += Decoder.MaximumLength)
        {
            Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(bitness, new Iced.Intel.ByteArrayCodeReader(bytes, at, Decoder.MaximumLength));
            decoder.Decode(out Iced.Intel.Instruction instruction);
            sum += instruction.Length;
        }

        return sum;
    }

    private static void Execute(string name, Func<FlatCpu> create, CReference? reference, int loop)
    {
        const long Count = 3_000_000;
        List<double> ours = [];
        List<double> theirs = [];
        FlatCpu cpu = create();
        long allocated = 0;
        WarmUp(() =>
        {
            Executor.Run(ref cpu, 10_000, deliver: false, out long executed);
            return executed;
        });
        for (int pair = 0; pair < Pairs; pair++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            long start = Stopwatch.GetTimestamp();
            ExecutionResult result = Executor.Run(ref cpu, Count, deliver: false, out long executed);
            double elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (executed != Count)
            {
                throw new InvalidOperationException($"{name} stopped after {executed}: {result}");
            }

            double? other = reference?.Run(loop, Count);
            ours.Add(Count / elapsed / 1e6);
            if (other is { } rate)
            {
                theirs.Add(rate);
            }
        }

        string beside = theirs.Count == 0 ? "no C reference" : $"C reference {Median(theirs):F1} M/s, ratio {Median(ours) / Median(theirs):F3}";
        Report($"execute {name}", $"{Median(ours):F1} M instructions/s (bar 30), {beside}, {allocated} bytes allocated in {Count} instructions");
    }

    /// <summary>Long enough for tiered compilation to settle.</summary>
    private static void WarmUp(Func<long> action)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < 1.5)
        {
            _ = action();
        }
    }

    private static double Time(Func<long> action)
    {
        long start = Stopwatch.GetTimestamp();
        _ = action();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds;
    }

    private static double Median(List<double> values)
    {
        List<double> sorted = [.. values.Order()];
        return sorted[sorted.Count / 2];
    }

    private static void Report(string name, FormattableString text) => Console.WriteLine($"{name,-30} {text.ToString(CultureInfo.InvariantCulture)}");
}
