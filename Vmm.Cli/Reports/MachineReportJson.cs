// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Board;
using Vmm.Machine.Diagnostics;

namespace Vmm.Cli.Reports;

/// <summary>A machine's end as one line of JSON. Addresses and registers are strings with 0x.</summary>
internal static class MachineReportJson
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the object.</summary>
    public static string Write(MachineResult result, MachineAdvice advice, bool? translates, bool statistics = false) => Build(json =>
    {
        json.WriteStartObject();
        WriteMembers(json, result, advice, translates);
        if (statistics)
        {
            StatisticsWriter.WriteJson(json, result);
        }

        json.WriteEndObject();
    });

    /// <summary>Builds a JSON text.</summary>
    public static string Build(Action<Utf8JsonWriter> write)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter json = new(buffer, s_options))
        {
            write(json);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>Writes the members of the object.</summary>
    public static void WriteMembers(Utf8JsonWriter json, MachineResult result, MachineAdvice advice, bool? translates)
    {
        json.WriteString("end", Name(result.End));
        json.WriteNumber("exitCode", ExitCodes.Of(result));
        json.WriteString("detail", result.Detail);
        json.WriteNumber("elapsedSeconds", Math.Round(result.Elapsed.TotalSeconds, 6));
        json.WriteString("hypervisor", result.Hypervisor.Name);
        json.WriteString("virtualization", Name(result.Hypervisor.Virtualization));
        if (translates is { } isOn)
        {
            json.WriteBoolean("translates", isOn);
        }

        if (result.Vcpu is { } vcpu)
        {
            json.WriteNumber("vcpu", vcpu.Value);
        }

        if (result.DebugExitCode is { } code)
        {
            json.WriteNumber("debugExitCode", code);
        }

        if (result.Exit is { } exit)
        {
            json.WriteString("exit", exit.ToString());
        }

        if (result.Instruction is { } instruction)
        {
            WriteInstruction(json, instruction);
        }

        if (result.TripleFault is { } fault)
        {
            TripleFaultWriter.WriteJson(json, fault);
        }

        if (result.PageWalk is { } walk)
        {
            json.WriteString("refusal", Name(result.Refusal));
            json.WriteString("pageWalk", walk.ToString());
        }

        if (result.SecondChances is { } chances)
        {
            json.WriteStartObject("secondChance");
            json.WriteNumber("count", chances.Count);
            json.WriteNumber("executed", chances.Executed);
            json.WriteNumber("hypervisorSteps", chances.HypervisorSteps);
            json.WriteStartObject("instructions");
            foreach ((string mnemonic, long count) in chances.ByInstruction)
            {
                json.WriteNumber(mnemonic.ToLowerInvariant(), count);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        MsrReportWriter.WriteJson(json, result.Msrs);
        if (result.Error is { } error)
        {
            json.WriteString("error", error.ToString());
        }

        if (advice.Cause is { } cause)
        {
            json.WriteString("why", cause);
        }

        json.WriteStartArray("try");
        foreach (string attempt in advice.Try)
        {
            json.WriteStringValue(attempt);
        }

        json.WriteEndArray();
        json.WriteStartArray("vcpus");
        foreach (VcpuReport report in result.Vcpus)
        {
            WriteVcpu(json, report);
        }

        json.WriteEndArray();
    }

    /// <summary>An enumeration's value as JSON has it: first letter small.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static void WriteInstruction(Utf8JsonWriter json, InstructionReport instruction)
    {
        json.WriteStartObject("instruction");
        WriteHex(json, "address", instruction.Address);
        json.WriteString("bytes", Convert.ToHexStringLower(instruction.Bytes.AsSpan()));
        json.WriteNumber("length", instruction.Length);
        json.WriteString("text", instruction.Text);
        json.WriteString("mnemonic", instruction.Mnemonic);
        json.WriteString("feature", instruction.Feature);
        json.WriteEndObject();
    }

    private static void WriteVcpu(Utf8JsonWriter json, VcpuReport vcpu)
    {
        json.WriteStartObject();
        json.WriteNumber("id", vcpu.Id.Value);
        if (vcpu.Problem is { } problem)
        {
            json.WriteString("problem", problem);
        }
        else
        {
            json.WriteNumber("bitness", vcpu.Bitness);
            json.WriteNumber("cpl", vcpu.Cpl);
            WriteRegisters(json, vcpu);
        }

        WriteCounters(json, vcpu.Counters);
        json.WriteStartObject("seconds");
        json.WriteNumber("guest", Math.Round(vcpu.Times.Run.TotalSeconds, 6));
        json.WriteNumber("idle", Math.Round(vcpu.Times.Idle.TotalSeconds, 6));
        json.WriteNumber("engine", Math.Round(vcpu.Times.EmulationEngine.TotalSeconds, 6));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteRegisters(Utf8JsonWriter json, VcpuReport vcpu)
    {
        GeneralRegisters r = vcpu.Registers;
        ReadOnlySpan<(string Name, ulong Value)> registers =
        [
            ("rax", r.Rax), ("rbx", r.Rbx), ("rcx", r.Rcx), ("rdx", r.Rdx), ("rsi", r.Rsi), ("rdi", r.Rdi), ("rbp", r.Rbp),
            ("rsp", r.Rsp), ("r8", r.R8), ("r9", r.R9), ("r10", r.R10), ("r11", r.R11), ("r12", r.R12), ("r13", r.R13),
            ("r14", r.R14), ("r15", r.R15), ("rip", r.Rip), ("rflags", r.Rflags), ("csBase", vcpu.Cs.Base), ("cr0", vcpu.Cr0),
            ("cr2", vcpu.Cr2), ("cr3", vcpu.Cr3), ("cr4", vcpu.Cr4), ("efer", vcpu.Efer),
        ];
        json.WriteStartObject("registers");
        foreach ((string name, ulong value) in registers)
        {
            WriteHex(json, name, value);
        }

        json.WriteEndObject();
    }

    private static void WriteCounters(Utf8JsonWriter json, in VcpuCounters counters)
    {
        ReadOnlySpan<(string Name, long Value)> values =
        [
            ("exits", counters.Exits), ("port", counters.PortExits), ("mmio", counters.MmioExits), ("msr", counters.MsrExits),
            ("hlt", counters.HaltExits), ("hypercall", counters.HypercallExits), ("other", counters.OtherExits),
            ("kicks", counters.Kicks), ("unclaimedPorts", counters.UnclaimedPorts), ("unclaimedMmio", counters.UnclaimedMmio),
            ("unclaimedMsrs", counters.UnclaimedMsrs),
        ];
        json.WriteStartObject("counters");
        foreach ((string name, long value) in values)
        {
            json.WriteNumber(name, value);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a number as a string with 0x.</summary>
    public static void WriteHex(Utf8JsonWriter json, string name, ulong value) => json.WriteString(name, $"0x{value:x}");
}
