// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Benchmarks.Tcg;

/// <summary>The processor in software beside QEMU's TCG, in interleaved pairs of processes: loops of one image, and Debian's boot.</summary>
internal static class TcgPairs
{
    private const int DefaultPairs = 5;
    private const int BootPairs = 3;
    private const int SteadyPasses = 5;
    private const string Word = "user-space-runs";

    /// <summary>Measures.</summary>
    /// <param name="arguments">The published <c>vmm</c>, then how many pairs, then Debian's kernel.</param>
    internal static int Run(string[] arguments)
    {
        string program = arguments[0];
        int pairs = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : DefaultPairs;
        GuestProgram vmm = GuestProgram.Vmm(program);
        GuestProgram? tcg = GuestProgram.TryTcg();
        string folder = Directory.CreateTempSubdirectory("vmm-tcg").FullName;
        try
        {
            MeasureLoops(vmm, tcg, pairs, folder);
            if (arguments.Length > 2)
            {
                MeasureBoot(vmm, tcg, program, arguments[2], folder);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return 0;
    }

    private static void MeasureLoops(GuestProgram vmm, GuestProgram? tcg, int pairs, string folder)
    {
        string image = Path.Combine(folder, "loops.bin");
        File.WriteAllBytes(image, LoopGuest.Assemble());
        List<GuestOutput> ours = [];
        List<GuestOutput> theirs = [];
        for (int pair = 0; pair < pairs; pair++)
        {
            ours.Add(vmm.RunLoops(image));
            if (tcg is not null)
            {
                theirs.Add(tcg.RunLoops(image));
            }
        }

        Console.WriteLine($"{"millions a second, medians of the last passes",-48} {"vmm",9} {"first",9} {"TCG",9}  TCG's multiple");
        foreach (GuestLoop loop in LoopGuest.Loops)
        {
            double[] mine = [.. ours.Select(run => Rate(run, loop))];
            double[] first = [.. ours.Select(run => run.Passes(loop.Marker) is [double pass, ..] ? loop.Count / pass / 1e6 : double.NaN)];
            double[] other = [.. theirs.Select(run => Rate(run, loop))];
            double[] ratios = [.. other.Zip(mine, static (their, our) => their / our)];
            string beside = other.Length == 0 || double.IsNaN(other[0]) ? "        -" : string.Create(
                CultureInfo.InvariantCulture,
                $"{Pairs.Median(other),9:0.00}  {Pairs.Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00})");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{$"{loop.Name}, {loop.Unit}",-48} {Pairs.Median(mine),9:0.00} {Pairs.Median(first),9:0.00} {beside}"));
        }
    }

    /// <summary>Millions a second in steady state; no number where the guest left the loop out.</summary>
    private static double Rate(GuestOutput run, GuestLoop loop)
    {
        double[] passes = run.Passes(loop.Marker);
        return passes.Length < SteadyPasses ? double.NaN : loop.Count / Pairs.Median(passes[^SteadyPasses..]) / 1e6;
    }

    private static void MeasureBoot(GuestProgram vmm, GuestProgram? tcg, string program, string kernel, string folder)
    {
        string initrd = BootDisk.Make(program, folder, Word);
        List<(double Init, double End)> ours = [];
        List<(double Init, double End)> theirs = [];
        for (int pair = 0; pair < BootPairs; pair++)
        {
            ours.Add(Boot(vmm, kernel, initrd));
            if (tcg is not null)
            {
                theirs.Add(Boot(tcg, kernel, initrd));
            }
        }

        Report("Debian's boot, start to /init's word", static boot => boot.Init, ours, theirs);
        Report("Debian's boot, start to the program's end", static boot => boot.End, ours, theirs);
    }

    private static (double Init, double End) Boot(GuestProgram program, string kernel, string initrd)
    {
        GuestOutput output = program.Boot(kernel, initrd, "console=ttyS0 quiet");
        return output.Until(Word) is { } init
            ? (init.TotalSeconds, output.Elapsed.TotalSeconds)
            : throw new InvalidOperationException($"the guest did not come to its script: {output.Text}");
    }

    private static void Report(
        string name, Func<(double Init, double End), double> part, List<(double Init, double End)> ours, List<(double Init, double End)> theirs)
    {
        double[] mine = [.. ours.Select(part)];
        double[] other = [.. theirs.Select(part)];
        double[] ratios = [.. mine.Zip(other, static (our, their) => our / their)];
        string beside = other.Length == 0 ? "" : string.Create(
            CultureInfo.InvariantCulture, $", TCG {Pairs.Median(other):0.00} s ({other.Min():0.00} to {other.Max():0.00}), ratio {Pairs.Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00})");
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{name}: vmm {Pairs.Median(mine):0.00} s ({mine.Min():0.00} to {mine.Max():0.00}){beside}"));
    }
}
