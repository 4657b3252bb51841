// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Cli.Backends;

namespace Vmm.Cli.Demo;

/// <summary>The command <c>vmm demo</c>.</summary>
internal static class DemoCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CliHost host)
    {
        Option<bool> json = new("--json") { Description = "Reports as JSON on standard output, with what the guest printed in it." };
        Option<string> backend = BackendOption.Create();
        Option<string?> translate = TranslateOption.Create();
        Option<string?> irqchip = IrqchipOption.Create();
        Option<string> device = DeviceOption.Create();
        Command command = new("demo", "Runs the built-in guest, which tries each way a guest talks to the engine, and checks it.") { json, backend, translate, irqchip, device };
        command.SetAction(result => new DemoAction(
            host,
            new BackendChoice(
                BackendOption.Parse(result.GetRequiredValue(backend)),
                result.GetRequiredValue(device),
                IrqchipOption.Parse(result.GetValue(irqchip)))
            {
                Translates = TranslateOption.Parse(result.GetValue(translate)),
            },
            result.GetValue(json)).Run());
        return command;
    }
}
