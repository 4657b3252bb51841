// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text.Json;
using Vmm.Emulation.Msr;
using Vmm.Machine.Diagnostics;

namespace Vmm.Cli.Reports;

/// <summary>The model-specific registers that a guest touched.</summary>
internal static class MsrReportWriter
{
    /// <summary>One line for each, so many at most; all of them are in the JSON report.</summary>
    private const int MostLines = 16;

    /// <summary>Writes the report for a person; nothing when there is nothing to tell.</summary>
    public static void WriteText(TextWriter writer, MsrReport? report)
    {
        if (report is null)
        {
            return;
        }

        writer.WriteLine("  model-specific registers that the backend left to the engine:");
        foreach (MsrAccessCount count in report.Accesses.Take(MostLines))
        {
            writer.WriteLine(
                $"    {MsrReport.Describe(count.Index)}: {Times(count)}; {MsrReport.Describe(count.Answer)}");
        }

        int more = report.Accesses.Length - MostLines;
        if (more > 0)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    and {more} more; --json lists all"));
        }

        if (report.Others > 0)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    and {report.Others} accesses to further registers"));
        }
    }

    /// <summary>Writes the member <c>msrs</c> of an object.</summary>
    public static void WriteJson(Utf8JsonWriter json, MsrReport? report)
    {
        json.WriteStartArray("msrs");
        foreach (MsrAccessCount count in report?.Accesses ?? [])
        {
            json.WriteStartObject();
            json.WriteString("register", count.Name);
            json.WriteString("index", $"0x{count.Index.Value:x}");
            json.WriteNumber("reads", count.Reads);
            json.WriteNumber("writes", count.Writes);
            json.WriteString("answer", MachineReportJson.Name(count.Answer));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("msrsNotListed", report?.Others ?? 0);
    }

    private static string Times(MsrAccessCount count) => string.Join(
        " and ",
        new[] { Times(count.Reads, "read"), Times(count.Writes, "written") }.Where(text => text.Length > 0));

    private static string Times(long count, string what) => count switch
    {
        0 => "",
        1 => $"{what} once",
        _ => string.Create(CultureInfo.InvariantCulture, $"{what} {count} times"),
    };
}
