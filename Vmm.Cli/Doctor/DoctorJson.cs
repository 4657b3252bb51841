// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Cli.Reports;
using Vmm.Kvm;
using Vmm.Software;

namespace Vmm.Cli.Doctor;

/// <summary>The doctor's report as one line of JSON.</summary>
internal static class DoctorJson
{
    /// <summary>Writes the object.</summary>
    public static string Write(KvmHostReport report, SoftwareMeasurements software) => MachineReportJson.Build(json =>
    {
        json.WriteStartObject();
        json.WriteBoolean("usable", report.IsUsable);
        json.WriteString("device", report.Device.Path);
        json.WriteString("deviceStatus", MachineReportJson.Name(report.Device.Status));
        json.WriteString("ownership", report.Device.Ownership);
        json.WriteString("problem", report.Device.Problem);
        json.WriteString("remedy", report.Device.Remedy);
        json.WriteString("kernel", report.Kernel);
        json.WriteString("virtualization", MachineReportJson.Name(report.Virtualization));
        json.WriteBoolean("nested", report.IsNested);
        json.WriteNumber("apiVersion", report.ApiVersion);
        json.WriteNumber("maxVcpus", report.MaxVcpus);
        json.WriteString("failure", report.Failure);
        WriteMeasurements(json, report.Measurements);
        json.WriteStartObject("software");
        json.WriteNumber("portExitMicroseconds", Math.Round(software.PortExit.TotalMicroseconds, 3));
        json.WriteNumber("instructionsPerSecond", Math.Round(software.InstructionsPerSecond));
        json.WriteEndObject();
        json.WriteStartArray("capabilities");
        foreach (KvmCapabilityReport row in report.Capabilities)
        {
            json.WriteStartObject();
            json.WriteString("name", row.Name);
            json.WriteNumber("value", row.Value);
            json.WriteBoolean("required", row.IsRequired);
            json.WriteString("meaning", row.Meaning);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteList(json, "works", report.Works);
        WriteList(json, "doesNotWork", report.DoesNotWork);
        json.WriteEndObject();
    });

    private static void WriteMeasurements(Utf8JsonWriter json, KvmMeasurements? measurements)
    {
        if (measurements is not { } measured)
        {
            json.WriteNull("measurements");
            return;
        }

        json.WriteStartObject("measurements");
        json.WriteNumber("portExitMicroseconds", Math.Round(measured.PortExit.TotalMicroseconds, 3));
        json.WriteNumber("mmioExitMicroseconds", Math.Round(measured.MmioExit.TotalMicroseconds, 3));
        json.WriteNumber("kernelInstructionsPerSecond", Math.Round(measured.InstructionsPerSecond));
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> lines)
    {
        json.WriteStartArray(name);
        foreach (string line in lines)
        {
            json.WriteStringValue(line);
        }

        json.WriteEndArray();
    }
}
