// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.Metrics;
using Vmm.Abstractions;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Msr;

namespace Vmm.Engine;

/// <summary>
/// The engine's meter, <c>vmm.engine</c>. Per-exit figures are counted on the vCPU and observed from there, so that an
/// exit touches no instrument.
/// </summary>
internal static class EngineMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = $"{VmmTelemetry.ProviderName}.engine";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly Lock s_lock = new();
    private static readonly List<WeakReference<VirtualMachine>> s_machines = [];

    static EngineMetrics()
    {
        s_meter.CreateObservableUpDownCounter(
            "vmm.machines", () => Live().Count, "{machine}", "Virtual machines that exist.");
        s_meter.CreateObservableCounter("vmm.vcpu.exits", ObserveExits, "{exit}", "Returns from the guest by kind.");
        s_meter.CreateObservableCounter(
            "vmm.second_chances", ObserveSecondChances, "{instruction}", "Instructions that the hypervisor gave up on, by mnemonic.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.emulated_instructions", ObserveEmulated, "{instruction}", "Instructions that the engine executed.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.hypervisor_steps",
            () => Observe(counters => counters.HypervisorSteps),
            "{instruction}",
            "Instructions that the hypervisor executed one at a time while the engine carried kernel mode.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.request_idle",
            () => Observe(counters => counters.RequestIdleExits),
            "{return}",
            "Returns because another thread wanted the vCPU.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.migrations",
            () => Observe(counters => counters.HostCpuMigrations),
            "{migration}",
            "Entries on another processor of the host than before.");
        s_meter.CreateObservableCounter(
            "vmm.msr.accesses", ObserveMsrs, "{access}", "Accesses to model-specific registers that reached this process, by register and by who answered.");
        s_meter.CreateObservableCounter("vmm.vcpu.time", ObserveTimes, "s", "Time of vCPUs by what it was spent on.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.unclaimed", ObserveUnclaimed, "{access}", "Accesses that nobody claimed and the engine answered, by kind.");
        s_meter.CreateObservableCounter(
            "vmm.vcpu.events", ObserveEvents, "{event}", "Events that the engine gave to guests, by kind.");
        s_meter.CreateObservableCounter(
            "vmm.hypervisor.total", ObserveTotals, "1", "What the hypervisor has counted since the VM was created, by its own name.");
        s_meter.CreateObservableGauge(
            "vmm.hypervisor.level", ObserveLevels, "1", "What the hypervisor says of the present, and of peaks, by its own name.");
    }

    public static void Register(VirtualMachine machine)
    {
        lock (s_lock)
        {
            s_machines.RemoveAll(reference => !reference.TryGetTarget(out _));
            s_machines.Add(new WeakReference<VirtualMachine>(machine));
        }
    }

    public static void Unregister(VirtualMachine machine)
    {
        lock (s_lock)
        {
            s_machines.RemoveAll(reference => !reference.TryGetTarget(out VirtualMachine? target) || target == machine);
        }
    }

    private static List<VirtualMachine> Live()
    {
        lock (s_lock)
        {
            List<VirtualMachine> live = [];
            foreach (WeakReference<VirtualMachine> reference in s_machines)
            {
                if (reference.TryGetTarget(out VirtualMachine? machine))
                {
                    live.Add(machine);
                }
            }

            return live;
        }
    }

    private static IEnumerable<Measurement<long>> ObserveExits()
    {
        foreach ((VirtualMachine machine, VirtualCpu cpu) in Begun())
        {
            VcpuCounters counters = cpu.Counters;
            yield return Exits(counters.PortExits, "port");
            yield return Exits(counters.MmioExits, "mmio");
            yield return Exits(counters.MsrReads, "rdmsr");
            yield return Exits(counters.MsrExits - counters.MsrReads, "wrmsr");
            yield return Exits(counters.HaltExits, "hlt");
            yield return Exits(counters.HypercallExits, "hypercall");
            yield return Exits(counters.InterruptWindows, "interrupt_window");
            yield return Exits(counters.MonitorTraps, "monitor_trap");
            yield return Exits(counters.OtherExits - counters.InterruptWindows - counters.MonitorTraps, "other");
            yield return Exits(counters.Kicks, "kick");

            Measurement<long> Exits(long value, string reason) => new(value, Tags(machine, cpu, "reason", reason));
        }
    }

    private static IEnumerable<Measurement<long>> ObserveSecondChances()
    {
        foreach (VirtualMachine machine in Live())
        {
            foreach ((string instruction, long count) in machine.SecondChancesByInstruction)
            {
                yield return new(
                    count,
                    new("vmm.class", VmmTelemetry.StatisticsClass),
                    new("vmm.vm", machine.Name),
                    new KeyValuePair<string, object?>("instruction", instruction));
            }
        }
    }

    private static IEnumerable<Measurement<long>> ObserveMsrs()
    {
        foreach (VirtualMachine machine in Live())
        {
            foreach (MsrAccessCount count in machine.MsrAccesses.Snapshot())
            {
                yield return new(
                    count.Reads + count.Writes,
                    new("vmm.class", VmmTelemetry.StatisticsClass),
                    new("vmm.vm", machine.Name),
                    new("register", count.Name),
                    new KeyValuePair<string, object?>("answer", count.Answer.ToString()));
            }
        }
    }

    private static IEnumerable<Measurement<long>> ObserveEmulated()
    {
        foreach (VirtualMachine machine in Live())
        {
            foreach (VirtualCpu cpu in machine.Vcpus)
            {
                if (cpu.Counters is { EmulatedInstructions: > 0 } counters)
                {
                    yield return new(counters.EmulatedInstructions, Tags(machine, cpu, "reason", "second_chance"));
                }
            }
        }
    }

    private static IEnumerable<Measurement<long>> ObserveUnclaimed()
    {
        foreach ((VirtualMachine machine, VirtualCpu cpu) in Begun())
        {
            VcpuCounters counters = cpu.Counters;
            yield return new(counters.UnclaimedPorts, Tags(machine, cpu, "kind", "port"));
            yield return new(counters.UnclaimedMmio, Tags(machine, cpu, "kind", "mmio"));
            yield return new(counters.UnclaimedMsrs, Tags(machine, cpu, "kind", "msr"));
        }
    }

    private static IEnumerable<Measurement<long>> ObserveEvents()
    {
        foreach ((VirtualMachine machine, VirtualCpu cpu) in Begun())
        {
            VcpuCounters counters = cpu.Counters;
            yield return new(counters.Exceptions, Tags(machine, cpu, "kind", "exception"));
            yield return new(counters.Nmis, Tags(machine, cpu, "kind", "nmi"));
            yield return new(counters.ExternalInterrupts, Tags(machine, cpu, "kind", "external_interrupt"));
        }
    }

    private static IEnumerable<Measurement<double>> ObserveTotals() => ObserveHypervisor(total: true);

    private static IEnumerable<Measurement<double>> ObserveLevels() => ObserveHypervisor(total: false);

    private static IEnumerable<Measurement<double>> ObserveHypervisor(bool total)
    {
        foreach (VirtualMachine machine in Live())
        {
            foreach (BackendStatistic statistic in Read(machine.ReadHypervisorStatistics))
            {
                if (statistic.Kind == StatisticKind.Cumulative == total)
                {
                    yield return new(
                        statistic.Value,
                        new("vmm.class", VmmTelemetry.StatisticsClass),
                        new("vmm.vm", machine.Name),
                        new("statistic", statistic.Name),
                        new KeyValuePair<string, object?>("unit", statistic.Unit));
                }
            }

            foreach (VirtualCpu cpu in machine.Vcpus)
            {
                foreach (BackendStatistic statistic in Read(cpu.ReadHypervisorStatistics))
                {
                    if (statistic.Kind == StatisticKind.Cumulative == total)
                    {
                        yield return new(
                            statistic.Value, [.. Tags(machine, cpu, "statistic", statistic.Name), new("unit", statistic.Unit)]);
                    }
                }
            }
        }
    }

    /// <summary>Reads figures of an object that may go away meanwhile: a collector gets none then, and no exception.</summary>
    private static IReadOnlyList<BackendStatistic> Read(Func<IReadOnlyList<BackendStatistic>> read)
    {
        try
        {
            return read();
        }
        catch (Exception gone) when (gone is VmmException or ObjectDisposedException)
        {
            return [];
        }
    }

    private static IEnumerable<Measurement<double>> ObserveTimes()
    {
        foreach ((VirtualMachine machine, VirtualCpu cpu) in Begun())
        {
            VcpuTimes times = cpu.Times;
            yield return Time(times.Init, "init");
            yield return Time(times.Run, "run");
            yield return Time(times.Idle, "idle");
            yield return Time(times.EmulationEngine, "emu_kern");
            yield return Time(times.EmulationUser, "emu_user");
            yield return Time(times.Scheduled, "sched");

            Measurement<double> Time(TimeSpan value, string state) =>
                new(value.TotalSeconds, Tags(machine, cpu, "state", state));
        }
    }

    private static IEnumerable<Measurement<long>> Observe(Func<VcpuCounters, long> read)
    {
        foreach ((VirtualMachine machine, VirtualCpu cpu) in Begun())
        {
            yield return new(read(cpu.Counters), Tags(machine, cpu));
        }
    }

    /// <summary>The vCPUs that somebody has run, be it that they only slept, or that the engine executed them.</summary>
    private static IEnumerable<(VirtualMachine Machine, VirtualCpu Cpu)> Begun() =>
        from machine in Live()
        from cpu in machine.Vcpus
        where cpu.Counters.Exits > 0 || cpu.Times.Init > TimeSpan.Zero
        select (machine, cpu);

    private static KeyValuePair<string, object?>[] Tags(VirtualMachine machine, VirtualCpu cpu) =>
    [
        new("vmm.class", VmmTelemetry.StatisticsClass),
        new("vmm.vm", machine.Name),
        new("vmm.vcpu", cpu.Id.Value),
    ];

    private static KeyValuePair<string, object?>[] Tags(
        VirtualMachine machine, VirtualCpu cpu, string key, string value) =>
        [.. Tags(machine, cpu), new(key, value)];
}
