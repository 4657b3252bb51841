// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Abstractions.Errors;
using Vmm.Cli.Cpu;
using Vmm.Cli.Demo;
using Vmm.Cli.Doctor;
using Vmm.Cli.Initramfs;
using Vmm.Cli.Run;
using Vmm.Emulation.Cpuid;
using Vmm.Machine.Boot;

namespace Vmm.Cli;

/// <summary>The commands, and how their refusals become messages and exit codes.</summary>
internal static class VmmCommandLine
{
    /// <summary>Carries out a command line.</summary>
    /// <param name="args">The arguments, without the program's name.</param>
    /// <param name="host">Where to write.</param>
    /// <returns>The exit code.</returns>
    public static int Invoke(string[] args, CliHost host)
    {
        RootCommand root = new("Runs x86-64 guests on Linux, with KVM or with a processor in software.")
        {
            RunCommand.Create(host),
            DemoCommand.Create(host),
            DoctorCommand.Create(host),
            CpuCommand.Create(host),
            InitramfsCommand.Create(host),
        };
        ParseResult result = root.Parse(args);
        if (result.Errors.Count > 0)
        {
            foreach (string problem in Problems(result))
            {
                host.Error.WriteLine($"vmm: {problem}");
            }

            host.Error.WriteLine($"vmm: '{Name(result)} --help' shows what there is.");
            return ExitCodes.Usage;
        }

        return Guard(host, () => result.Invoke(new InvocationConfiguration
        {
            Output = host.Out,
            Error = host.Error,
            EnableDefaultExceptionHandler = false,

            // Signals end the guest in an orderly way first; the commands see to that.
            ProcessTerminationTimeout = null,
        }));
    }

    /// <summary>What is wrong with a command line. What was misspelt comes with the nearest name that there is.</summary>
    private static IEnumerable<string> Problems(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        if (command.Subcommands.Count > 0 && result.UnmatchedTokens is [var written, ..] && !IsOption(written))
        {
            // That a command is missing, and that what follows means nothing, both come from the wrong name.
            return [$"'{Name(result)}' has no command '{written}'; did you mean '{NearestName.Of(written, command.Subcommands.Select(static known => known.Name))}'?"];
        }

        return result.Errors.Select(error =>
            result.UnmatchedTokens.FirstOrDefault(token => IsOption(token) && error.Message.Contains($"'{token}'", StringComparison.Ordinal)) is { } option
                && command.Options.Count > 0
                ? $"'{Name(result)}' has no option '{option}'; did you mean '{NearestName.Of(option, command.Options.Select(static known => known.Name))}'?"
                : error.Message);
    }

    private static bool IsOption(string token) => token.StartsWith('-');

    private static string Name(ParseResult result) =>
        string.Join(' ', Path(result.CommandResult).Reverse());

    private static IEnumerable<string> Path(System.CommandLine.Parsing.SymbolResult? result)
    {
        for (; result is not null; result = result.Parent)
        {
            if (result is System.CommandLine.Parsing.CommandResult command)
            {
                yield return command.Command is RootCommand ? "vmm" : command.Command.Name;
            }
        }
    }

    private static int Guard(CliHost host, Func<int> action)
    {
        try
        {
            return action();
        }
        catch (UsageException usage)
        {
            return Fail(host, ExitCodes.Usage, usage.Message);
        }
        catch (BootImageException image)
        {
            return Fail(host, ExitCodes.BadInput, image.Message);
        }
        catch (HypervisorException hypervisor)
        {
            return Fail(host, ExitCodes.NoHypervisor, hypervisor.Message);
        }
        catch (VmmException refusal)
        {
            return Fail(host, ExitCodes.HostError, refusal.Message);
        }
        catch (IOException io)
        {
            return Fail(host, ExitCodes.BadInput, io.Message);
        }
        catch (UnauthorizedAccessException access)
        {
            return Fail(host, ExitCodes.BadInput, access.Message);
        }
    }

    private static int Fail(CliHost host, int code, string message)
    {
        host.Error.WriteLine($"vmm: {message}");
        return code;
    }
}
