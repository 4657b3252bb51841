// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Vmm.Benchmarks.Kvm;

/// <summary>From the start of the <c>vmm</c> process to the first instruction of its guest, as the demo reports it.</summary>
internal static class StartUp
{
    private const int Starts = 15;
    private const double BarMilliseconds = 150;

    /// <summary>Starts a published <c>vmm</c> several times, beside a C program that does one guest's first exit.</summary>
    public static int Run(string vmm)
    {
        using CTwin twin = CTwin.Compile("twin.c");
        double[] ours = new double[Starts];
        double[] theirs = new double[Starts];
        for (int i = 0; i < Starts; i++)
        {
            ours[i] = Demo(vmm);
            long start = Stopwatch.GetTimestamp();
            twin.Run("lifecycle", "1");
            theirs[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }

        string verdict = Pairs.Median(ours) <= BarMilliseconds ? "met" : "MISSED";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"vmm start to first guest instruction: median {Pairs.Median(ours):0} ms (min {ours.Min():0}, max {ours.Max():0}), bar {BarMilliseconds:0} ms {verdict}; a C program's whole life with one exit: {Pairs.Median(theirs):0.0} ms"));
        return 0;
    }

    private static double Demo(string vmm)
    {
        using Process process = CTwin.Start(vmm, "demo", "--json");
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        using JsonDocument report = JsonDocument.Parse(output);
        return report.RootElement.GetProperty("startUpMilliseconds").GetDouble();
    }
}
