// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.Metrics;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Docs;

/// <summary>docs/metrics.md lists the instruments that exist, and nothing else.</summary>
public sealed class MetricsDocumentTests
{
    [Test]
    public void Document_lists_every_instrument_with_kind_unit_and_description()
    {
        using MeterListener listener = new();
        List<(string Name, string Kind, string Unit, string What)> real = [];
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == EngineMetrics.MeterName)
            {
                real.Add((instrument.Name, KindOf(instrument), instrument.Unit!, instrument.Description!));
            }
        };
        using FakeBackend backend = new();
        using VirtualMachine machine = new VirtualMachineFactory(backend).Create(new VirtualMachineOptions { Name = "documented" });
        listener.Start();

        Documented().Should().BeEquivalentTo(real);
    }

    [Test]
    public void Figures_of_a_vCPU_are_measured_with_its_tags()
    {
        using FakeBackend backend = new();
        using VirtualMachine machine = new VirtualMachineFactory(backend).Create(
            new VirtualMachineOptions { Name = "measured", MaxCpus = 1, UnclaimedAccess = UnclaimedAccess.Default, UnclaimedMsr = UnclaimedMsr.ReadZeroIgnoreWrite });
        VirtualCpu cpu = machine.GetVcpu(new VcpuId(0));
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
        ((FakeVm)machine.BackendVm).Vcpu(0)
            .ThenRdmsr(0x1234).ThenWrmsr(0x1234, 1).ThenWrmsr(0x1234, 2).ThenExit(ExitCode.InterruptWindow)
            .Then((FakeVcpu _, ref VmExit exit) => exit.Set(ExitCode.Unknown, 0));
        cpu.Run(VmEntry.Default);
        List<(string Name, long Value, string Tags)> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == EngineMetrics.MeterName)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            seen.Add((instrument.Name, value, string.Join(' ', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")))));
        listener.Start();
        listener.RecordObservableInstruments();

        seen.Should().Contain(("vmm.vcpu.exits", 1, "vmm.class=misc vmm.vm=measured vmm.vcpu=0 reason=other"));
        seen.Should().Contain(("vmm.vcpu.exits", 1, "vmm.class=misc vmm.vm=measured vmm.vcpu=0 reason=rdmsr"));
        seen.Should().Contain(("vmm.vcpu.exits", 2, "vmm.class=misc vmm.vm=measured vmm.vcpu=0 reason=wrmsr"));
        seen.Should().Contain(("vmm.vcpu.exits", 1, "vmm.class=misc vmm.vm=measured vmm.vcpu=0 reason=interrupt_window"));
        seen.Should().Contain(("vmm.vcpu.request_idle", 0, "vmm.class=misc vmm.vm=measured vmm.vcpu=0"));
        seen.Should().Contain(measurement => measurement.Name == "vmm.vcpu.migrations");
    }

    private static IEnumerable<(string Name, string Kind, string Unit, string What)> Documented() =>
        File.ReadLines(RepositoryFiles.PathOf("docs/metrics.md"))
            .Where(line => line.StartsWith("| `vmm.", StringComparison.Ordinal))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
            .Select(cells => (cells[1].Trim('`'), cells[2], cells[3].Trim('`'), cells[4]));

    private static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "ObservableCounter" => "counter",
        "ObservableUpDownCounter" => "up-down counter",
        "ObservableGauge" => "gauge",
        string other => other,
    };
}
