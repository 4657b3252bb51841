// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli.Backends;

/// <summary>The option <c>--backend</c>.</summary>
internal static class BackendOption
{
    /// <summary>The default.</summary>
    public const string Default = "auto";

    /// <summary>Makes the option.</summary>
    public static Option<string> Create() => new("--backend")
    {
        Description = "What executes the guest: KVM, a processor in software, or KVM where it runs guests natively and software elsewhere.",
        HelpName = "auto|kvm|software",
        DefaultValueFactory = static _ => Default,
    };

    /// <summary>Reads the option's text.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="UsageException">It names no backend.</exception>
    public static BackendKind Parse(string text) => text switch
    {
        "auto" => BackendKind.Auto,
        "kvm" => BackendKind.Kvm,
        "software" => BackendKind.Software,
        _ => throw new UsageException($"--backend: '{text}' is not auto, kvm or software"),
    };
}
