// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Abstractions.Machine;

namespace Vmm.Cli.Backends;

/// <summary>The option <c>--irqchip</c>.</summary>
internal static class IrqchipOption
{
    /// <summary>Makes the option.</summary>
    public static Option<string?> Create() => new("--irqchip")
    {
        Description = "Who has the interrupt controllers: KVM, this process, or KVM the local APICs and this process the rest; without the option KVM where it executes.",
        HelpName = "kernel|split|userspace",
    };

    /// <summary>Reads the option's text.</summary>
    /// <param name="text">The text; null without the option.</param>
    /// <returns>The mode; null for whoever does it best.</returns>
    /// <exception cref="UsageException">It names no mode, or one that is not offered.</exception>
    public static InterruptControllerMode? Parse(string? text) => text switch
    {
        null => null,
        "kernel" => InterruptControllerMode.Kernel,
        "userspace" => InterruptControllerMode.Userspace,
        "split" => InterruptControllerMode.Split,
        _ => throw new UsageException($"--irqchip: '{text}' is not kernel, split or userspace"),
    };
}
