// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Text.Json;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Cli.Reports;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Software;

namespace Vmm.Cli.Cpu;

/// <summary>Carries out <c>vmm cpu</c>.</summary>
internal sealed class CpuAction(CliHost host, string device, CpuDependencyPolicy policy)
{
    /// <summary>Shows a processor.</summary>
    /// <returns>The exit code.</returns>
    public int Show(string text, bool leaves, bool json)
    {
        CpuModel model = CpuModelOption.Parse("MODEL", text);
        CpuResolution resolution = model.Resolve(Supported(model).AsSpan(), policy);
        if (json)
        {
            host.Out.WriteLine(new CpuProfile
            {
                Name = model.ToString(),
                Leaves = resolution.Definition.Entries,
                Msrs = resolution.Msrs,
            }.ToJson());
        }
        else
        {
            CpuText.WriteDefinition(host.Out, model.ToString(), resolution, leaves);
        }

        Note(resolution, json);
        return ExitCodes.Success;
    }

    /// <summary>Compares two processors.</summary>
    /// <returns>The exit code: success when they are the same.</returns>
    public int Compare(string first, string second, bool json)
    {
        CpuModel left = CpuModelOption.Parse("FIRST", first);
        CpuModel right = CpuModelOption.Parse("SECOND", second);
        CpuResolution mine = left.Resolve(Supported(left).AsSpan(), policy);
        CpuResolution theirs = right.Resolve(Supported(right).AsSpan(), policy);
        CpuComparison comparison = CpuComparison.Of(mine.Definition, theirs.Definition);
        ImmutableArray<CpuDifference> msrs = CompareMsrs(mine, theirs);
        comparison = comparison with { Others = [.. comparison.Others, .. msrs] };
        if (json)
        {
            host.Out.WriteLine(MachineReportJson.Build(writer => WriteComparison(writer, left, right, comparison)));
        }
        else
        {
            CpuText.WriteComparison(host.Out, left.ToString(), right.ToString(), comparison);
        }

        return comparison.IsSame ? ExitCodes.Success : ExitCodes.CheckFailed;
    }

    /// <summary>Checks a processor against the host.</summary>
    /// <returns>The exit code: success when guests can have it.</returns>
    public int Check(string text, bool json)
    {
        CpuModel model = CpuModelOption.Parse("MODEL", text);
        CpuResolution resolution = model.Resolve(Supported(model).AsSpan(), policy);
        if (json)
        {
            host.Out.WriteLine(MachineReportJson.Build(writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("model", model.ToString());
                writer.WriteBoolean("fits", resolution.Problems.IsEmpty);
                WriteList(writer, "missing", resolution.Missing);
                WriteList(writer, "problems", resolution.Problems);
                WriteList(writer, "messages", resolution.Messages);
                writer.WriteEndObject();
            }));
        }
        else
        {
            CpuText.WriteCheck(host.Out, model.ToString(), resolution);
        }

        return resolution.Problems.IsEmpty ? ExitCodes.Success : ExitCodes.CheckFailed;
    }

    private static ImmutableArray<CpuDifference> CompareMsrs(CpuResolution first, CpuResolution second)
    {
        const string None = "not set";
        Dictionary<Abstractions.Msr.MsrIndex, ulong> left = first.Msrs.ToDictionary(entry => entry.Index, entry => entry.Value);
        Dictionary<Abstractions.Msr.MsrIndex, ulong> right = second.Msrs.ToDictionary(entry => entry.Index, entry => entry.Value);
        return
        [
            .. left.Keys.Union(right.Keys).OrderBy(index => index.Value)
                .Select(index => new CpuDifference(MsrRegistry.NameOf(index), Value(left, index), Value(right, index)))
                .Where(difference => difference.First != difference.Second),
        ];

        static string Value(Dictionary<Abstractions.Msr.MsrIndex, ulong> values, Abstractions.Msr.MsrIndex index) =>
            values.TryGetValue(index, out ulong value) ? $"0x{value:x}" : None;
    }

    private static void WriteComparison(Utf8JsonWriter writer, CpuModel first, CpuModel second, CpuComparison comparison)
    {
        writer.WriteStartObject();
        writer.WriteString("first", first.ToString());
        writer.WriteString("second", second.ToString());
        writer.WriteBoolean("same", comparison.IsSame);
        WriteList(writer, "onlyInFirst", comparison.OnlyInFirst);
        WriteList(writer, "onlyInSecond", comparison.OnlyInSecond);
        writer.WriteStartArray("others");
        foreach (CpuDifference difference in comparison.Others)
        {
            writer.WriteStartObject();
            writer.WriteString("what", difference.What);
            writer.WriteString("first", difference.First);
            writer.WriteString("second", difference.Second);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter writer, string name, ImmutableArray<string> lines)
    {
        writer.WriteStartArray(name);
        foreach (string line in lines)
        {
            writer.WriteStringValue(line);
        }

        writer.WriteEndArray();
    }

    /// <summary>What is for a person when standard output is for a script.</summary>
    private void Note(CpuResolution resolution, bool json)
    {
        if (json && !resolution.Problems.IsEmpty)
        {
            host.Error.WriteLine("vmm: guests on this host cannot have it; 'vmm cpu check' says why");
        }
    }

    /// <summary>What guests can have with the hypervisor, or with the processor in software for a model that is built on it.</summary>
    private ImmutableArray<CpuidEntry> Supported(CpuModel model)
    {
        if (CpuModelOption.IsSoftware(model))
        {
            return SoftwareProcessor.Entries;
        }

        using IHypervisorBackend backend = CliHost.OpenHypervisor(device, null);
        return backend.GetSupportedCpuid();
    }
}
