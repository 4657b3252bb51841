// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Abstractions.Events;
using Vmm.Engine.Faults;
using Vmm.Engine.Memory;

namespace Vmm.Cli.Reports;

/// <summary>What led to a triple fault, for a person and for a script.</summary>
internal static class TripleFaultWriter
{
    /// <summary>Writes the lines.</summary>
    public static void WriteText(TextWriter writer, TripleFaultReport fault)
    {
        if (!fault.Chain.IsEmpty)
        {
            string origin = fault.Origin == TripleFaultOrigin.Rehearsed
                ? " (found by executing the instruction again on a copy)"
                : "";
            writer.WriteLine($"  chain: {string.Join(" > ", fault.Chain)} > shutdown{origin}");
        }

        if (fault.Remark is { } remark)
        {
            writer.WriteLine($"  chain: not known: {remark}");
        }

        foreach (TripleFaultGate gate in fault.Gates)
        {
            writer.WriteLine($"  interrupt table: {gate}");
        }

        writer.WriteLine($"  IDTR base {fault.Idtr.Base:x} limit {fault.Idtr.Limit:x}  TR base {fault.Tr.Base:x} limit {fault.Tr.Limit:x}");
        WriteWalk(writer, "code", fault.CodeWalk);
        WriteWalk(writer, "stack", fault.StackWalk);
        WriteWalk(writer, "page fault", fault.FaultWalk);
    }

    /// <summary>Writes the member <c>tripleFault</c>.</summary>
    public static void WriteJson(Utf8JsonWriter json, TripleFaultReport fault)
    {
        json.WriteStartObject("tripleFault");
        json.WriteNumber("vcpu", fault.Vcpu.Value);
        json.WriteString("origin", MachineReportJson.Name(fault.Origin));
        if (fault.Remark is { } remark)
        {
            json.WriteString("remark", remark);
        }

        json.WriteStartArray("chain");
        foreach (FaultStep step in fault.Chain)
        {
            WriteStep(json, step);
        }

        json.WriteEndArray();
        json.WriteStartArray("gates");
        foreach (TripleFaultGate gate in fault.Gates)
        {
            json.WriteStartObject();
            json.WriteNumber("vector", gate.Vector);
            MachineReportJson.WriteHex(json, "address", gate.Address.Value);
            MachineReportJson.WriteHex(json, "low", gate.Low);
            MachineReportJson.WriteHex(json, "high", gate.High);
            if (gate.Problem is { } problem)
            {
                json.WriteString("problem", problem);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        MachineReportJson.WriteHex(json, "idtBase", fault.Idtr.Base);
        MachineReportJson.WriteHex(json, "idtLimit", fault.Idtr.Limit);
        WriteWalk(json, "codeWalk", fault.CodeWalk);
        WriteWalk(json, "stackWalk", fault.StackWalk);
        WriteWalk(json, "faultWalk", fault.FaultWalk);
        json.WriteEndObject();
    }

    private static void WriteStep(Utf8JsonWriter json, in FaultStep step)
    {
        json.WriteStartObject();
        json.WriteString("name", step.ToString());
        json.WriteString("type", MachineReportJson.Name(step.Event.Type));
        json.WriteNumber("vector", step.Event.Vector);
        if (step.Event.HasErrorCode)
        {
            MachineReportJson.WriteHex(json, "errorCode", step.Event.ErrorCode);
        }

        if (step.Address is { } address)
        {
            MachineReportJson.WriteHex(json, "address", address.Value);
        }

        json.WriteBoolean("attempted", step.WasAttempted);
        json.WriteEndObject();
    }

    private static void WriteWalk(TextWriter writer, string what, PageWalk? walk)
    {
        if (walk is not null)
        {
            writer.WriteLine($"  page walk of the {what}: {walk}");
        }
    }

    private static void WriteWalk(Utf8JsonWriter json, string name, PageWalk? walk)
    {
        if (walk is not null)
        {
            json.WriteString(name, walk.ToString());
        }
    }
}
