// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;

namespace Vmm.Cli.Cpu;

/// <summary>The command <c>vmm cpu</c>.</summary>
internal static class CpuCommand
{
    private const string Models =
        "host, max, pvm-friendly, x86-64-v1 to -v4, software or a profile F.json; then features to remove or add, such as host,-cx16,+x2apic; and hypervisor=kvm|vmm|none";

    /// <summary>Makes the command with its three subcommands.</summary>
    public static Command Create(CliHost host) => new("cpu", "Shows, compares and checks the processors that guests can see.")
    {
        CreateShow(host),
        CreateDiff(host),
        CreateCheck(host),
    };

    private static Command CreateShow(CliHost host)
    {
        Argument<string> model = Optional("MODEL", $"The processor: {Models}.");
        Option<bool> leaves = new("--leaves") { Description = "Shows CPUID's registers as well." };
        Option<bool> json = new("--json") { Description = "Writes a profile on standard output, which --cpu and these commands read." };
        (Option<string> dependencies, Option<string> device) = Common();
        Command command = new("show", "Shows a processor: this host's as KVM can give it to guests, or a model's.") { model, leaves, json, dependencies, device };
        command.SetAction(result => Action(host, result, dependencies, device)
            .Show(result.GetRequiredValue(model), result.GetValue(leaves), result.GetValue(json)));
        return command;
    }

    private static Command CreateDiff(CliHost host)
    {
        Argument<string> first = Required("FIRST", $"A processor: {Models}.");
        Argument<string> second = Optional("SECOND", "The one to compare it with.");
        Option<bool> json = Json();
        (Option<string> dependencies, Option<string> device) = Common();
        Command command = new("diff", "Says in which features, sizes and leaves two processors differ.") { first, second, json, dependencies, device };
        command.SetAction(result => Action(host, result, dependencies, device)
            .Compare(result.GetRequiredValue(first), result.GetRequiredValue(second), result.GetValue(json)));
        return command;
    }

    private static Command CreateCheck(CliHost host)
    {
        Argument<string> model = Required("MODEL", $"The processor: {Models}.");
        Option<bool> json = Json();
        (Option<string> dependencies, Option<string> device) = Common();
        Command command = new("check", "Says whether guests on this host can have a processor, and what is missing.") { model, json, dependencies, device };
        command.SetAction(result => Action(host, result, dependencies, device)
            .Check(result.GetRequiredValue(model), result.GetValue(json)));
        return command;
    }

    private static CpuAction Action(CliHost host, ParseResult result, Option<string> dependencies, Option<string> device) =>
        new(host, result.GetRequiredValue(device), CpuModelOption.ParseDependencies(result.GetRequiredValue(dependencies)));

    private static Argument<string> Required(string name, string description) =>
        WithoutOptions(new Argument<string>(name) { Description = description });

    private static Argument<string> Optional(string name, string description) =>
        WithoutOptions(new Argument<string>(name) { Description = description, DefaultValueFactory = _ => "host" });

    /// <summary>A misspelt option would be taken for the argument otherwise.</summary>
    private static Argument<string> WithoutOptions(Argument<string> argument)
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: ['-', ..] text }, ..])
            {
                result.AddError($"there is no option '{text}'");
            }
        });
        return argument;
    }

    private static Option<bool> Json() => new("--json") { Description = "Reports as JSON on standard output." };

    private static (Option<string> Dependencies, Option<string> Device) Common() => (CpuModelOption.CreateDependencies(), DeviceOption.Create());
}
