// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Board;
using Vmm.Machine.Diagnostics;

namespace Vmm.Cli.Reports;

/// <summary>What was counted during a run: the engine's counters and times, and the hypervisor's own figures.</summary>
internal static class StatisticsWriter
{
    private const int NameWidth = 28;
    private const int ValueWidth = 18;

    /// <summary>Writes a table: a line for each figure, a column for each vCPU.</summary>
    public static void WriteText(TextWriter writer, MachineResult result)
    {
        WriteLine(writer, "engine", result.Vcpus.Select(vcpu => $"vCPU {vcpu.Id.Value}"));
        foreach ((string name, Func<VcpuReport, long> read) in s_counters)
        {
            WriteRow(writer, name, result.Vcpus.Select(vcpu => (double)read(vcpu)), "1");
        }

        foreach ((string name, Func<VcpuTimes, TimeSpan> read) in s_times)
        {
            WriteRow(writer, name, result.Vcpus.Select(vcpu => read(vcpu.Times).TotalSeconds), "s");
        }

        if (!result.VcpuStatistics.IsEmpty && !result.VcpuStatistics[0].IsEmpty)
        {
            WriteLine(writer, result.Hypervisor.Name, result.Vcpus.Select(vcpu => $"vCPU {vcpu.Id.Value}"));
            for (int i = 0; i < result.VcpuStatistics[0].Length; i++)
            {
                BackendStatistic first = result.VcpuStatistics[0][i];
                WriteRow(
                    writer, first.Name, result.VcpuStatistics.Select(all => i < all.Length ? all[i].Value : 0), first.Unit);
            }
        }

        if (!result.Statistics.IsEmpty)
        {
            WriteLine(writer, result.Hypervisor.Name, ["VM"]);
            foreach (BackendStatistic statistic in result.Statistics)
            {
                WriteRow(writer, statistic.Name, [statistic.Value], statistic.Unit);
            }
        }
    }

    /// <summary>Writes the member <c>statistics</c>.</summary>
    public static void WriteJson(Utf8JsonWriter json, MachineResult result)
    {
        json.WriteStartObject("statistics");
        WriteObject(json, "vm", result.Statistics);
        json.WriteStartArray("vcpus");
        for (int i = 0; i < result.Vcpus.Length; i++)
        {
            VcpuReport vcpu = result.Vcpus[i];
            json.WriteStartObject();
            json.WriteStartObject("engine");
            foreach ((string name, Func<VcpuReport, long> read) in s_counters)
            {
                json.WriteNumber(name, read(vcpu));
            }

            foreach ((string name, Func<VcpuTimes, TimeSpan> read) in s_times)
            {
                json.WriteNumber(name, Math.Round(read(vcpu.Times).TotalSeconds, 6));
            }

            json.WriteEndObject();
            WriteObject(json, "hypervisor", i < result.VcpuStatistics.Length ? result.VcpuStatistics[i] : []);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static readonly (string Name, Func<VcpuReport, long> Read)[] s_counters =
    [
        ("exits", vcpu => vcpu.Counters.Exits),
        ("port_exits", vcpu => vcpu.Counters.PortExits),
        ("mmio_exits", vcpu => vcpu.Counters.MmioExits),
        ("msr_exits", vcpu => vcpu.Counters.MsrExits),
        ("rdmsr_exits", vcpu => vcpu.Counters.MsrReads),
        ("hlt_exits", vcpu => vcpu.Counters.HaltExits),
        ("hypercall_exits", vcpu => vcpu.Counters.HypercallExits),
        ("other_exits", vcpu => vcpu.Counters.OtherExits),
        ("interrupt_windows", vcpu => vcpu.Counters.InterruptWindows),
        ("monitor_traps", vcpu => vcpu.Counters.MonitorTraps),
        ("kicks", vcpu => vcpu.Counters.Kicks),
        ("request_idle", vcpu => vcpu.Counters.RequestIdleExits),
        ("host_cpu_migrations", vcpu => vcpu.Counters.HostCpuMigrations),
        ("unclaimed_ports", vcpu => vcpu.Counters.UnclaimedPorts),
        ("unclaimed_mmio", vcpu => vcpu.Counters.UnclaimedMmio),
        ("unclaimed_msrs", vcpu => vcpu.Counters.UnclaimedMsrs),
        ("exceptions", vcpu => vcpu.Counters.Exceptions),
        ("nmis", vcpu => vcpu.Counters.Nmis),
        ("external_interrupts", vcpu => vcpu.Counters.ExternalInterrupts),
        ("second_chances", vcpu => vcpu.Counters.SecondChances),
        ("emulated_instructions", vcpu => vcpu.Counters.EmulatedInstructions),
    ];

    private static readonly (string Name, Func<VcpuTimes, TimeSpan> Read)[] s_times =
    [
        ("time_init", times => times.Init),
        ("time_run", times => times.Run),
        ("time_idle", times => times.Idle),
        ("time_emu_kern", times => times.EmulationEngine),
        ("time_emu_user", times => times.EmulationUser),
    ];

    private static void WriteObject(Utf8JsonWriter json, string name, ImmutableArray<BackendStatistic> statistics)
    {
        json.WriteStartObject(name);
        foreach (BackendStatistic statistic in statistics)
        {
            json.WriteNumber(statistic.Name, statistic.Value);
        }

        json.WriteEndObject();
    }

    private static void WriteRow(TextWriter writer, string name, IEnumerable<double> values, string unit)
    {
        double[] all = [.. values];
        if (Array.TrueForAll(all, value => value == 0))
        {
            return;
        }

        string format = unit == "s" ? "0.000000" : "0";
        string suffix = unit is "1" ? "" : $" {unit}";
        WriteLine(writer, $"  {name}", all.Select(value => value.ToString(format, CultureInfo.InvariantCulture) + suffix));
    }

    private static void WriteLine(TextWriter writer, string name, IEnumerable<string> values) =>
        writer.WriteLine($"{name,-NameWidth}{string.Concat(values.Select(value => value.PadLeft(ValueWidth)))}");
}
