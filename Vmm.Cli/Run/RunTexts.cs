// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Cli.Backends;
using Vmm.Cli.Cpu;

namespace Vmm.Cli.Run;

/// <summary>The options of <c>vmm run</c> as they were written, with their defaults.</summary>
internal sealed record RunTexts
{
    public string? Kernel { get; init; }

    public string? Flat { get; init; }

    public string FlatMode { get; init; } = "real";

    public string? Initrd { get; init; }

    public string? CommandLine { get; init; }

    public string Memory { get; init; } = "512M";

    public string Cpus { get; init; } = "1";

    public string Backend { get; init; } = BackendOption.Default;

    public string? Translate { get; init; }

    public string? Irqchip { get; init; }

    public string Cpu { get; init; } = "host";

    public string CpuDependencies { get; init; } = CpuModelOption.DefaultDependencies;

    public string MsrPolicy { get; init; } = "gp";

    public string MsrFilter { get; init; } = "all";

    public string SecondChance { get; init; } = "on";

    public string Console { get; init; } = "stdio";

    public string? Timeout { get; init; }

    public string? Gdb { get; init; }

    public bool Paused { get; init; }

    public bool Stats { get; init; }

    public bool IsDeterministic { get; init; }

    public string? Seed { get; init; }

    public string? HashEvery { get; init; }

    public string? Record { get; init; }

    public string? Replay { get; init; }

    public bool Json { get; init; }

    public bool Verbose { get; init; }

    public string Device { get; init; } = DeviceOption.DefaultPath;
}
