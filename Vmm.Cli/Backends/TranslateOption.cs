// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli.Backends;

/// <summary>The option <c>--translate</c>.</summary>
internal static class TranslateOption
{
    /// <summary>Its name.</summary>
    public const string Name = "--translate";

    /// <summary>Makes the option.</summary>
    public static Option<string?> Create() => new(Name)
    {
        Description = "Whether the software processor turns code that runs often into code of this machine; without the option it does. Nothing but speed changes.",
        HelpName = "on|off",
    };

    /// <summary>Reads the option's text.</summary>
    /// <param name="text">The text; null without the option.</param>
    /// <returns>Whether to translate; null where nothing is said.</returns>
    /// <exception cref="UsageException">It is neither on nor off.</exception>
    public static bool? Parse(string? text) => text switch
    {
        null => null,
        "on" => true,
        "off" => false,
        _ => throw new UsageException($"{Name}: '{text}' is not on or off"),
    };
}
