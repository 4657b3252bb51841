// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli.Initramfs;

/// <summary>The command <c>vmm initramfs</c>.</summary>
internal static class InitramfsCommand
{
    /// <summary>Where Debian's package busybox-static has the program.</summary>
    private const string DefaultBusybox = "/bin/busybox";

    /// <summary>Makes the command.</summary>
    public static Command Create(CliHost host)
    {
        Option<string> output = new("--output") { Description = "Where the archive goes.", HelpName = "FILE", Required = true };
        Option<string> busybox = new("--busybox")
        {
            Description = "A statically linked busybox.",
            HelpName = "FILE",
            DefaultValueFactory = static _ => DefaultBusybox,
        };
        Option<string?> script = new("--script") { Description = "A shell script to carry out in place of the shell.", HelpName = "FILE" };
        Option<string[]> add = new("--add")
        {
            Description = "A file of the host and its path in the guest; may be given several times.",
            HelpName = "FILE:PATH",
            DefaultValueFactory = static _ => [],
        };
        Command command = new("initramfs", "Makes an initial RAM disk for Linux with a busybox shell in it.") { output, busybox, script, add };
        command.SetAction(result => new InitramfsAction(
            host,
            result.GetRequiredValue(output),
            result.GetRequiredValue(busybox),
            result.GetValue(script),
            result.GetRequiredValue(add)).Run());
        return command;
    }
}
