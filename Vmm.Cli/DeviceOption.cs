// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli;

/// <summary>The option that every command has.</summary>
internal static class DeviceOption
{
    /// <summary>Where Linux has the device.</summary>
    public const string DefaultPath = "/dev/kvm";

    /// <summary>Makes the option.</summary>
    public static Option<string> Create() => new("--device")
    {
        Description = "The hypervisor's device.",
        HelpName = "PATH",
        DefaultValueFactory = static _ => DefaultPath,
    };
}
