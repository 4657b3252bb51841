// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Serilog;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Cli.Backends;
using Vmm.Cli.Reports;
using Vmm.Cli.Terminal;
using Vmm.Emulation.Cpuid;
using Vmm.Machine.Board;
using Vmm.Machine.Boot;
using Vmm.Machine.Debugging;
using Vmm.Machine.Devices;

namespace Vmm.Cli.Run;

/// <summary>Carries out <c>vmm run</c>.</summary>
internal sealed class RunAction(CliHost host, RunSettings settings)
{
    private const int StandardInput = 0;
    private static readonly GuestPhysicalAddress s_realModeAddress = new(0x7c00);
    private static readonly GuestPhysicalAddress s_longModeAddress = new(BootAddresses.HighMemory);

    /// <summary>Runs the guest and reports.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        ReadOnlyMemory<byte> image = Read(settings.Kernel ?? settings.Flat!, BootImageKind.Unknown);
        ReadOnlyMemory<byte> initrd = settings.Initrd is { } path ? Read(path, BootImageKind.Initrd) : default;
        using Serilog.Core.Logger? log = settings.Verbose ? Logging.Create() : null;
        using RepeatableRun? repeatable = settings.Repeatable is { } wanted ? new RepeatableRun(wanted, host.Error) : null;
        using OpenedBackend opened = settings.Backend.Open(log, repeatable?.Time);
        IHypervisorBackend backend = opened.Backend;
        CheckFeatures(backend);
        ShowRemarks(opened);
        ConsoleInput input = new(host.Error);
        using Stream? stream = OpenConsole();
        using StreamConsoleSink? sink = stream is null ? null : new StreamConsoleSink(stream);
        using PcMachine machine = PcMachine.Create(backend, Options(opened, sink, input, log) with { Clock = repeatable?.Clock, StartTime = repeatable is null ? null : RepeatableRun.StartTime });
        Load(machine, image, initrd);
        using GdbServer? debugger = OfferDebugger(machine, log);
        repeatable?.Watch(machine, input);
        MachineResult result = RunInTerminal(machine, input);
        sink?.Dispose();
        if (repeatable is not null)
        {
            host.Error.WriteLine(repeatable.Describe(result.End is MachineEnd.Stopped or MachineEnd.Timeout));
        }

        Report(result, opened);
        return ExitCodes.Of(result);
    }

    private PcOptions Options(OpenedBackend opened, IConsoleSink? sink, ConsoleInput input, ILogger? log) => new()
    {
        Name = "run",
        MemorySize = settings.Memory,
        Cpus = settings.Cpus,
        InterruptControllerMode = opened.InterruptControllers,
        CpuModel = settings.CpuModel,
        CpuDependencies = settings.CpuDependencies,
        UnclaimedMsr = settings.MsrPolicy,
        MsrExposure = settings.MsrFilter,
        SecondChance = settings.SecondChance,
        CarriesFromStart = settings.SecondChance && settings.Kernel is not null,
        Console = sink,
        OnConsoleInputRoom = input.OnRoom,
        Timeout = settings.Timeout,
        Logger = log,
    };

    private ReadOnlyMemory<byte> Read(string path, BootImageKind kind)
    {
        using FileStream file = File.OpenRead(path);
        return BootFile.Read(file, kind, (long)Math.Min(settings.Memory, long.MaxValue));
    }

    private void CheckFeatures(IHypervisorBackend backend)
    {
        if (settings.CpuModel.IsPlainHost)
        {
            return;
        }

        CpuResolution resolution = settings.CpuModel.Resolve(backend.GetSupportedCpuid().AsSpan(), settings.CpuDependencies);
        if (!resolution.Problems.IsEmpty)
        {
            throw new UsageException($"--cpu: {settings.CpuModel} cannot run on this host: {string.Join("; ", resolution.Problems)}");
        }

        if (!settings.Json)
        {
            foreach (string message in resolution.Messages)
            {
                host.Error.WriteLine($"vmm: --cpu: {message}");
            }
        }
    }

    private void ShowRemarks(OpenedBackend opened)
    {
        if (!settings.Json)
        {
            opened.Announce(host.Error);
            foreach (string remark in settings.MsrFilter.Compile().Remarks)
            {
                host.Error.WriteLine($"vmm: --msr-filter: {remark}");
            }
        }
    }

    private Stream? OpenConsole() => settings.Console.Kind switch
    {
        ConsoleKind.Stdio => host.OpenOutput(),
        ConsoleKind.File => new FileStream(settings.Console.Path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0),
        _ => null,
    };

    private void Load(PcMachine machine, ReadOnlyMemory<byte> image, ReadOnlyMemory<byte> initrd)
    {
        if (settings.Kernel is null)
        {
            machine.LoadFlat(image, settings.FlatLongMode ? s_longModeAddress : s_realModeAddress, settings.FlatLongMode);
            return;
        }

        LinuxBootResult loaded = machine.LoadLinux(new LinuxBootOptions
        {
            Kernel = image,
            Initrd = initrd,
            CommandLine = settings.CommandLine,
        });
        if (!settings.Json)
        {
            string version = loaded.KernelVersion.Length == 0 ? "" : $" {loaded.KernelVersion}";
            host.Error.WriteLine($"vmm: kernel{version}. {loaded.Remark}");
        }
    }

    private GdbServer? OfferDebugger(PcMachine machine, ILogger? log)
    {
        if (settings.Gdb is null)
        {
            return null;
        }

        GdbServer server = GdbServer.Start(machine.EnableDebugging(settings.Paused), settings.Gdb, log);
        if (!settings.Json)
        {
            host.Error.WriteLine($"vmm: GDB connects with 'target remote {server.LocalEndPoint}'{(settings.Paused ? "; the guest waits for it" : "")}");
        }

        return server;
    }

    private MachineResult RunInTerminal(PcMachine machine, ConsoleInput input)
    {
        bool takesInput = settings.Console.Kind == ConsoleKind.Stdio;
        using RawTerminal? terminal = takesInput ? RawTerminal.Enter(StandardInput) : null;
        using PosixSignalRegistration interrupt = StopOn(PosixSignal.SIGINT, machine);
        using PosixSignalRegistration terminate = StopOn(PosixSignal.SIGTERM, machine);
        using PosixSignalRegistration hangUp = StopOn(PosixSignal.SIGHUP, machine);
        using PosixSignalRegistration quit = StopOn(PosixSignal.SIGQUIT, machine);
        if (takesInput)
        {
            input.Start(machine, terminal is not null);
        }

        try
        {
            return machine.Run();
        }
        finally
        {
            input.End();
        }
    }

    private static PosixSignalRegistration StopOn(PosixSignal signal, PcMachine machine) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            machine.Stop($"stopped by {context.Signal}");
        });

    private void Report(MachineResult result, OpenedBackend opened)
    {
        MachineAdvice advice = MachineAdvice.For(result, settings.CpuModel, opened.Backend.GetSupportedCpuid());
        if (settings.Json)
        {
            TextWriter writer = settings.Console.Kind == ConsoleKind.Stdio ? host.Error : host.Out;
            writer.WriteLine(MachineReportJson.Write(result, advice, opened.Translates, settings.Stats));
        }
        else
        {
            MachineReportText.Write(host.Error, result, advice);
            if (settings.Stats)
            {
                StatisticsWriter.WriteText(host.Error, result);
            }
        }
    }
}
