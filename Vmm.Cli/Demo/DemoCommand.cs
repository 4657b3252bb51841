// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Cli.Run;

namespace Vmm.Cli.Demo;

/// <summary>The command <c>vmm demo</c>.</summary>
internal static class DemoCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CliHost host)
    {
        Option<bool> json = new("--json") { Description = "Reports as JSON on standard output, with what the guest printed in it." };
        Option<string> irqchip = new("--irqchip")
        {
            Description = "Who has the interrupt controllers: KVM or this process.",
            HelpName = "kernel|userspace",
            DefaultValueFactory = _ => "kernel",
        };
        Option<string> device = DeviceOption.Create();
        Command command = new("demo", "Runs the built-in guest, which tries each way a guest talks to the engine, and checks it.") { json, irqchip, device };
        command.SetAction(result => new DemoAction(
            host,
            result.GetRequiredValue(device),
            RunSettings.ParseIrqchip(result.GetRequiredValue(irqchip)),
            result.GetValue(json)).Run());
        return command;
    }
}
