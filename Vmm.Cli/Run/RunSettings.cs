// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Cli.Backends;
using Vmm.Cli.Cpu;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Machine.Boot;
using Vmm.Machine.Debugging;

namespace Vmm.Cli.Run;

/// <summary>What <c>vmm run</c> was asked for.</summary>
internal sealed record RunSettings
{
    /// <summary>The Linux kernel's file, or null.</summary>
    public string? Kernel { get; init; }

    /// <summary>The flat binary's file, or null.</summary>
    public string? Flat { get; init; }

    /// <summary>Whether the flat binary is entered in 64-bit mode.</summary>
    public bool FlatLongMode { get; init; }

    /// <summary>The initial RAM disk's file, or null.</summary>
    public string? Initrd { get; init; }

    /// <summary>The kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>RAM in bytes.</summary>
    public ulong Memory { get; init; }

    /// <summary>Processors.</summary>
    public int Cpus { get; init; }

    /// <summary>What executes the guest.</summary>
    public required BackendChoice Backend { get; init; }

    /// <summary>The processor that the guest sees.</summary>
    public CpuModel CpuModel { get; init; } = CpuModel.Host;

    /// <summary>What happens to features that are left without one that they need.</summary>
    public CpuDependencyPolicy CpuDependencies { get; init; }

    /// <summary>What happens to model-specific registers that nobody has.</summary>
    public UnclaimedMsr MsrPolicy { get; init; } = UnclaimedMsr.GeneralProtection;

    /// <summary>Which model-specific registers KVM may handle.</summary>
    public MsrExposurePolicy MsrFilter { get; init; } = MsrExposurePolicy.All;

    /// <summary>Whether to execute what KVM cannot emulate.</summary>
    public bool SecondChance { get; init; } = true;

    /// <summary>Where the console goes.</summary>
    public ConsoleTarget Console { get; init; }

    /// <summary>How long the guest may run, or null.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Where GDB connects, or null.</summary>
    public GdbEndpoint? Gdb { get; init; }

    /// <summary>Whether the guest waits for GDB.</summary>
    public bool Paused { get; init; }

    /// <summary>Whether the result has the statistics.</summary>
    public bool Stats { get; init; }

    /// <summary>What is asked of a run that can be repeated; null for any other.</summary>
    public RepeatableSettings? Repeatable { get; init; }

    /// <summary>Whether the result is JSON.</summary>
    public bool Json { get; init; }

    /// <summary>Whether the engine's messages are shown.</summary>
    public bool Verbose { get; init; }

    /// <summary>Reads the options' texts.</summary>
    /// <param name="texts">The texts.</param>
    /// <returns>The settings.</returns>
    /// <exception cref="UsageException">They contradict each other, or one of them does not mean anything.</exception>
    public static RunSettings Parse(RunTexts texts)
    {
        if (texts.Kernel is null == texts.Flat is null)
        {
            throw new UsageException(texts.Kernel is null
                ? "give a guest: --kernel FILE or --flat FILE; 'vmm demo' runs the one that is built in"
                : "--kernel and --flat are two guests; give one of them");
        }

        if (texts.Kernel is null && (texts.Initrd is not null || texts.CommandLine is not null))
        {
            throw new UsageException("--initrd and --cmdline are for a Linux kernel; a flat binary takes neither");
        }

        ulong memory = Units.ParseSize("--memory", texts.Memory);
        if (memory is < PcMemoryLayout.MinimumMemory or > PcMemoryLayout.MaximumMemory || memory % 4096 != 0)
        {
            throw new UsageException(
                $"--memory: {texts.Memory} is not a multiple of 4K from 2M to {PcMemoryLayout.MaximumMemory >> 40}T");
        }

        int cpus = Units.ParseCount("--cpus", texts.Cpus, 1, MpTable.MaximumProcessors);
        RepeatableSettings? repeatable = RepeatableRun.Parse(texts);
        if (repeatable is not null && cpus != 1)
        {
            throw new UsageException("--deterministic is for one processor: several do not meet in the same order twice");
        }

        return new RunSettings
        {
            Kernel = texts.Kernel,
            Flat = texts.Flat,
            FlatLongMode = ParseFlatMode(texts.FlatMode),
            Initrd = texts.Initrd,
            CommandLine = texts.CommandLine ?? "",
            Memory = memory,
            Cpus = cpus,
            Repeatable = repeatable,
            Backend = new BackendChoice(
                BackendOption.Parse(texts.Backend), texts.Device, IrqchipOption.Parse(texts.Irqchip))
            {
                Translates = TranslateOption.Parse(texts.Translate),
                Samples = texts.Stats,
            },
            CpuModel = CpuModelOption.Parse("--cpu", texts.Cpu),
            CpuDependencies = CpuModelOption.ParseDependencies(texts.CpuDependencies),
            MsrPolicy = MsrOptions.ParsePolicy(texts.MsrPolicy),
            MsrFilter = MsrOptions.ParseFilter(texts.MsrFilter),
            SecondChance = ParseSecondChance(texts.SecondChance),
            Console = ConsoleTarget.Parse("--console", texts.Console),
            Timeout = texts.Timeout is null ? null : Units.ParseTime("--timeout", texts.Timeout),
            Gdb = ParseGdb(texts),
            Paused = texts.Paused,
            Stats = texts.Stats,
            Json = texts.Json,
            Verbose = texts.Verbose,
        };
    }

    private static GdbEndpoint? ParseGdb(RunTexts texts)
    {
        if (texts.Gdb is null)
        {
            return texts.Paused ? throw new UsageException("--paused waits for GDB; say where with --gdb") : null;
        }

        return GdbEndpoint.TryParse(texts.Gdb, out GdbEndpoint? endpoint)
            ? endpoint
            : throw new UsageException($"--gdb: '{texts.Gdb}' is not :PORT, ADDRESS:PORT or unix:PATH");
    }

    private static bool ParseSecondChance(string text) => text switch
    {
        "on" => true,
        "off" => false,
        _ => throw new UsageException($"--second-chance: '{text}' is not on or off"),
    };

    private static bool ParseFlatMode(string text) => text switch
    {
        "real" => false,
        "long" => true,
        _ => throw new UsageException($"--flat-mode: '{text}' is not real or long"),
    };
}
