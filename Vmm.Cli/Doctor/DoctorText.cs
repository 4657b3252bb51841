// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Backend;
using Vmm.Kvm;
using Vmm.Software;

namespace Vmm.Cli.Doctor;

/// <summary>The doctor's report for a person.</summary>
internal static class DoctorText
{
    private const int NameWidth = 34;

    /// <summary>The kind of host in words.</summary>
    public static string Kind(KvmHostReport report) => report.Virtualization switch
    {
        HostVirtualization.Vmx => report.IsNested ? "VMX (Intel), nested: this host is a virtual machine itself" : "VMX (Intel)",
        HostVirtualization.Svm => report.IsNested ? "SVM (AMD), nested: this host is a virtual machine itself" : "SVM (AMD)",
        HostVirtualization.Pvm => "PVM: virtualization in software; user-mode code runs natively, kernel-mode code is interpreted",
        _ => "not known: none of the modules kvm_intel, kvm_amd and kvm_pvm is loaded",
    };

    /// <summary>Writes the report.</summary>
    public static void Write(TextWriter writer, KvmHostReport report, SoftwareMeasurements software)
    {
        KvmDevice device = report.Device;
        writer.WriteLine($"device    {device.Path}: {(device.IsUsable ? $"usable ({device.Ownership})" : device.Problem)}");
        if (!device.IsUsable)
        {
            writer.WriteLine($"          {device.Remedy}");
        }

        writer.WriteLine($"host      Linux {report.Kernel}");
        if (device.IsUsable)
        {
            writer.WriteLine($"kind      {Kind(report)}");
            writer.WriteLine($"KVM       API version {report.ApiVersion}, up to {report.MaxVcpus} vCPUs in a VM");
        }

        if (report.Failure is { } failure)
        {
            writer.WriteLine($"failure   {failure}");
        }

        if (report.Measurements is { } measured)
        {
            writer.WriteLine(Invariant(
                $"measured  port exit {measured.PortExit.TotalMicroseconds:0.0} us, MMIO exit {measured.MmioExit.TotalMicroseconds:0.0} us, kernel mode {measured.InstructionsPerSecond / 1e6:0.0} million instructions/s"));
        }

        writer.WriteLine(Invariant(
            $"software  port exit {software.PortExit.TotalMicroseconds:0.0} us, {software.InstructionsPerSecond / 1e6:0} million instructions/s: the processor of this program itself, on any host"));
        WriteCapabilities(writer, report);
        WriteList(writer, "works", report.Works);
        WriteList(writer, "does not work", report.DoesNotWork);
        writer.WriteLine();
        writer.WriteLine(report switch
        {
            { IsUsable: true, Virtualization: HostVirtualization.Pvm } =>
                "This host can run guests. 'vmm run' takes the processor in software here; --backend kvm takes KVM.",
            { IsUsable: true } => "This host can run guests. 'vmm run' takes KVM here.",
            _ => "This host cannot run guests on KVM. 'vmm run' takes the processor in software here.",
        });
    }

    private static void WriteCapabilities(TextWriter writer, KvmHostReport report)
    {
        if (report.Capabilities.IsEmpty)
        {
            return;
        }

        writer.WriteLine();
        writer.WriteLine("capabilities");
        foreach (KvmCapabilityReport row in report.Capabilities)
        {
            string mark = row.IsPresent ? "yes" : row.IsRequired ? "NO " : "no ";
            writer.WriteLine($"  {mark}  {row.Name.PadRight(NameWidth)}  {row.Meaning}");
        }
    }

    private static void WriteList(TextWriter writer, string title, IReadOnlyCollection<string> lines)
    {
        if (lines.Count == 0)
        {
            return;
        }

        writer.WriteLine();
        writer.WriteLine(title);
        foreach (string line in lines)
        {
            writer.WriteLine($"  {line}");
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
