// SPDX-License-Identifier: BSD-2-Clause

using System.CommandLine;
using Vmm.Kvm;
using Vmm.Software;

namespace Vmm.Cli.Doctor;

/// <summary>The command <c>vmm doctor</c>.</summary>
internal static class DoctorCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CliHost host)
    {
        Option<bool> json = new("--json") { Description = "Reports as JSON on standard output." };
        Option<string> device = DeviceOption.Create();
        Command command = new("doctor", "Says whether this host can run guests, how well, and what to do if it cannot.") { json, device };
        command.SetAction(result => Run(host, result.GetRequiredValue(device), result.GetValue(json)));
        return command;
    }

    private static int Run(CliHost host, string device, bool json)
    {
        KvmHostReport report = KvmDoctor.Examine(device);
        SoftwareMeasurements software = SoftwareDoctor.Measure();
        if (json)
        {
            host.Out.WriteLine(DoctorJson.Write(report, software));
        }
        else
        {
            DoctorText.Write(host.Out, report, software);
        }

        return report.IsUsable ? ExitCodes.Success : ExitCodes.NoHypervisor;
    }
}
