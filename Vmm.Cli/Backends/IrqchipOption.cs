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
        Description = "Who has the interrupt controllers: KVM or this process; without the option KVM where it executes. split is not offered yet.",
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
        "split" => throw new UsageException(
            "--irqchip split is not offered until level-triggered interrupts are proven with it; use --irqchip kernel or userspace"),
        _ => throw new UsageException($"--irqchip: '{text}' is not kernel, split or userspace"),
    };
}
