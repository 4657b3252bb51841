// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Vmm.Benchmarks.Tcg;

/// <summary>
/// Where the time of the processor in software goes when Debian boots to <c>/init</c> and powers off: as the program itself says with
/// <c>--stats</c>, which samples its vCPU once a millisecond.
/// </summary>
internal static class TimeShares
{
    private const int Boots = 5;

    private static readonly (string Name, Func<JsonElement, JsonElement, double> Read)[] s_rows =
    [
        ("executing", static (_, seen) => Number(seen, "sampled_execute")),
        ("finding, comparing and decoding code", static (_, seen) => Number(seen, "sampled_decode")),
        ("walking page tables", static (_, seen) => Number(seen, "sampled_page_walk")),
        ("engine and chips", static (engine, _) => Number(engine, "time_emu_kern") + Number(engine, "time_emu_user")),
        ("asleep", static (engine, _) => Number(engine, "time_idle")),
    ];

    /// <summary>Boots several times and prints medians.</summary>
    /// <param name="program">The published <c>vmm</c>.</param>
    /// <param name="kernel">Debian's kernel.</param>
    /// <param name="rest">More arguments for it.</param>
    internal static int Run(string program, string kernel, string[] rest)
    {
        string folder = Directory.CreateTempSubdirectory("vmm-shares").FullName;
        try
        {
            string initrd = BootDisk.Make(program, folder, "user-space-runs");
            List<JsonElement> reports = [];
            for (int boot = 0; boot < Boots; boot++)
            {
                reports.Add(Boot(program, ["run", "--backend", "software", "--memory", "256M", "--kernel", kernel, "--initrd", initrd, "--cmdline", "console=ttyS0 quiet", "--console", "none", "--stats", "--json", .. rest]));
            }

            Report(reports);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return 0;
    }

    private static void Report(List<JsonElement> reports)
    {
        foreach ((string name, Func<JsonElement, JsonElement, double> read) in s_rows)
        {
            double[] seconds = [.. reports.Select(report => read(Vcpu(report, "engine"), Vcpu(report, "hypervisor")))];
            double[] shares = [.. reports.Zip(seconds, static (report, time) => 100 * time / Total(report))];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-40} {Pairs.Median(shares),5:0.0} % ({shares.Min():0.0} to {shares.Max():0.0})  {Pairs.Median(seconds),6:0.00} s"));
        }

        ReportBeside("translating, on other threads", reports, static report => Number(Vcpu(report, "hypervisor"), "time_translating"), "s");
        ReportBeside("blocks translated", reports, static report => Number(Vcpu(report, "hypervisor"), "translations"), "");
        ReportBeside("the runtime's compiler, in all threads", reports, static report => Number(Vm(report), "process_time_compiling"), "s");
        ReportBeside("methods that it compiled", reports, static report => Number(Vm(report), "process_methods_compiled"), "");
        ReportBeside("all of the vCPU", reports, Total, "s");
    }

    private static void ReportBeside(string name, List<JsonElement> reports, Func<JsonElement, double> read, string unit) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-40} {Pairs.Median([.. reports.Select(read)]),24:0.00} {unit}"));

    /// <summary>What was seen of the vCPU within the guest, and what the engine counts outside.</summary>
    private static double Total(JsonElement report) => s_rows.Sum(row => row.Read(Vcpu(report, "engine"), Vcpu(report, "hypervisor")));

    private static JsonElement Vcpu(JsonElement report, string part) => report.GetProperty("statistics").GetProperty("vcpus")[0].GetProperty(part);

    private static JsonElement Vm(JsonElement report) => report.GetProperty("statistics").GetProperty("vm");

    private static double Number(JsonElement element, string name) => element.GetProperty(name).GetDouble();

    private static JsonElement Boot(string program, string[] arguments)
    {
        using Process process = CTwin.Start(program, arguments);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string report = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonDocument.Parse(report).RootElement
            : throw new InvalidOperationException($"the boot ended with {process.ExitCode}: {errors.GetAwaiter().GetResult()}");
    }
}
