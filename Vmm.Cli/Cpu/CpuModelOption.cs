// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Emulation.Cpuid;
using Vmm.Software;

namespace Vmm.Cli.Cpu;

/// <summary>Processor models as command lines write them.</summary>
internal static class CpuModelOption
{
    public const string DefaultDependencies = "repair";

    /// <summary>More is no profile: one with 256 leaves takes some 40 KiB.</summary>
    private const long LongestProfile = 1 << 20;

    /// <summary>What the processor in software promises, on every host.</summary>
    private static readonly CpuProfile s_software = new() { Name = "software", Leaves = SoftwareProcessor.Entries };

    /// <summary>Whether a model is built on the processor in software, which needs nothing of a host.</summary>
    public static bool IsSoftware(CpuModel model) => ReferenceEquals(model.Profile, s_software);

    /// <summary>Makes the option for what depends on other features.</summary>
    public static Option<string> CreateDependencies() => new("--cpu-dependencies")
    {
        HelpName = "repair|refuse",
        Description = "What happens to features that a change leaves without one that they need: they follow, or the change is refused.",
        DefaultValueFactory = _ => DefaultDependencies,
    };

    /// <summary>Reads a model, and its profile's file when it has one.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static CpuModel Parse(string option, string text) =>
        CpuModel.TryParse(text, ReadProfile, [s_software], out CpuModel? model, out string? problem)
            ? model
            : throw new UsageException($"{option}: {problem}");

    /// <summary>Reads <c>repair</c> or <c>refuse</c>.</summary>
    /// <exception cref="UsageException">It is neither.</exception>
    public static CpuDependencyPolicy ParseDependencies(string text) => text switch
    {
        DefaultDependencies => CpuDependencyPolicy.Repair,
        "refuse" => CpuDependencyPolicy.Refuse,
        _ => throw new UsageException($"--cpu-dependencies: '{text}' is not repair or refuse"),
    };

    private static string ReadProfile(string path)
    {
        using FileStream file = File.OpenRead(path);
        if (file.Length > LongestProfile)
        {
            throw new UsageException($"{path}: {file.Length} bytes are more than a processor profile has");
        }

        using StreamReader reader = new(file);
        return reader.ReadToEnd();
    }
}
