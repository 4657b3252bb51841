// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Cli.Backends;
using Vmm.Cli.Reports;
using Vmm.Emulation.Cpuid;
using Vmm.Machine.Board;
using Vmm.Machine.Devices;

namespace Vmm.Cli.Demo;

/// <summary>Carries out <c>vmm demo</c>.</summary>
internal sealed class DemoAction(CliHost host, BackendChoice choice, bool json)
{
    private const ulong MemorySize = 16 << 20;
    private const string LastLine = "done, powering off";
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(20);

    /// <summary>Runs the guest, checks it and reports.</summary>
    /// <returns>The exit code; success only when every check passed.</returns>
    public int Run()
    {
        // The assembler's code is compiled while the kernel builds the VM.
        Task<byte[]> image = Task.Run(DemoGuest.Assemble);
        using OpenedBackend opened = choice.Open(log: null);
        IHypervisorBackend backend = opened.Backend;
        if (!json)
        {
            opened.Announce(host.Error);
        }

        using Stream? stream = json ? null : host.OpenOutput();
        using StreamConsoleSink? sink = stream is null ? null : new StreamConsoleSink(stream);
        DemoConsole console = new(sink);
        using PcMachine machine = PcMachine.Create(backend, new PcOptions
        {
            Name = "demo",
            MemorySize = MemorySize,
            InterruptControllerMode = opened.InterruptControllers,
            Console = console,
            Timeout = s_timeout,
        });
        DemoDevices devices = new();
        devices.Attach(machine.Machine);
        machine.LoadFlat(image.GetAwaiter().GetResult(), new GuestPhysicalAddress(DemoGuest.LoadAddress), longMode: true);
        MachineResult result = machine.Run();
        sink?.Dispose();
        ImmutableArray<DemoCheck> checks = Check(result, DemoResult.Read(machine.Machine.Memory), devices, console.Text);
        MachineAdvice advice = MachineAdvice.For(result, CpuModel.Host, backend.GetSupportedCpuid());
        Report(result, advice, opened.Translates, checks, devices, console.Text);
        return ExitCode(result, checks);
    }

    private static int ExitCode(MachineResult result, ImmutableArray<DemoCheck> checks)
    {
        if (result.End != MachineEnd.PowerOff)
        {
            return ExitCodes.Of(result);
        }

        return checks.All(static check => check.Passed) ? ExitCodes.Success : ExitCodes.CheckFailed;
    }

    private static ImmutableArray<DemoCheck> Check(MachineResult result, DemoResult found, DemoDevices devices, string text)
    {
        ulong msr = DemoDevices.ExpectedMsr(DemoGuest.MsrValue);
        uint sum = DemoDevices.ExpectedSum(DemoGuest.StringLength);
        uint mmio = DemoDevices.Expected(DemoGuest.MmioRounds);
        return
        [
            new("power off", result.End == MachineEnd.PowerOff, result.Detail),
            new("serial output", text.Contains(LastLine, StringComparison.Ordinal), $"{text.Length} characters"),
            new("cpuid", found.MaxLeaf > 0 && found.Vendor is { Length: > 0 } vendor && vendor.All(char.IsAscii), $"{found.Vendor}, leaf {found.MaxLeaf}"),
            new("msr", found.Msr == msr && devices.MsrAccesses == 2, $"0x{found.Msr:x} in {devices.MsrAccesses} accesses"),
            new("timer interrupts", found.Ticks >= DemoGuest.Ticks, $"{found.Ticks}"),
            new("string input", found.Sum == sum && devices.PatternReads == DemoGuest.StringLength, $"sum {found.Sum} of {devices.PatternReads} bytes"),
            new("mmio", found.Mmio == mmio && devices.MmioAccesses == 2 * DemoGuest.MmioRounds, $"{found.Mmio} after {devices.MmioAccesses} accesses"),
        ];
    }

    /// <summary>From the process's start to the guest's first instructions; the start is known to 10 ms.</summary>
    private static TimeSpan? StartUp(DemoDevices devices)
    {
        if (devices.MarkTimestamp == 0)
        {
            return null;
        }

        using Process process = Process.GetCurrentProcess();
        return DateTime.Now - Stopwatch.GetElapsedTime(devices.MarkTimestamp) - process.StartTime;
    }

    private void Report(
        MachineResult result, MachineAdvice advice, bool? translates, ImmutableArray<DemoCheck> checks, DemoDevices devices, string text)
    {
        TimeSpan? startUp = StartUp(devices);
        if (json)
        {
            host.Out.WriteLine(DemoJson.Write(result, advice, translates, checks, startUp, text));
            return;
        }

        MachineReportText.Write(host.Error, result, advice);
        foreach (DemoCheck check in checks)
        {
            host.Error.WriteLine($"  {(check.Passed ? "ok    " : "FAILED")}  {check.Name}: {check.Found}");
        }

        VcpuCounters counters = result.Vcpus[0].Counters;
        string first = startUp is { } time ? string.Create(CultureInfo.InvariantCulture, $"; first instruction {time.TotalMilliseconds:0} ms after the process started") : "";
        host.Error.WriteLine(
            $"  {counters.Exits} exits: {counters.PortExits} port, {counters.MmioExits} MMIO, {counters.MsrExits} MSR{first}");
    }
}
