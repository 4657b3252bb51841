// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Cli.Reports;
using Vmm.Machine.Board;

namespace Vmm.Cli.Demo;

/// <summary>The demo's report as one line of JSON.</summary>
internal static class DemoJson
{
    /// <summary>Writes the object.</summary>
    public static string Write(
        MachineResult result, MachineAdvice advice, bool? translates, ImmutableArray<DemoCheck> checks, TimeSpan? startUp, string console) =>
        MachineReportJson.Build(json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("passed", checks.All(static check => check.Passed));
            json.WriteStartArray("checks");
            foreach (DemoCheck check in checks)
            {
                json.WriteStartObject();
                json.WriteString("name", check.Name);
                json.WriteBoolean("passed", check.Passed);
                json.WriteString("found", check.Found);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (startUp is { } time)
            {
                json.WriteNumber("startUpMilliseconds", Math.Round(time.TotalMilliseconds));
            }

            json.WriteString("console", console);
            json.WriteStartObject("machine");
            MachineReportJson.WriteMembers(json, result, advice, translates);
            json.WriteEndObject();
            json.WriteEndObject();
        });
}
