// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Msr;
using Vmm.Emulation.Timers;
using Vmm.Machine.Devices;

namespace Vmm.Machine.Board;

/// <summary>What a <see cref="PcMachine"/> is built with.</summary>
public sealed record PcOptions
{
    /// <summary>The VM's name: 1 to 127 characters, no slash.</summary>
    public string Name { get; init; } = "pc";

    /// <summary>RAM in bytes: a multiple of 4096, as <see cref="Boot.PcMemoryLayout"/> takes it.</summary>
    public ulong MemorySize { get; init; } = 512ul << 20;

    /// <summary>Processors, 1 to <see cref="Boot.MpTable.MaximumProcessors"/>.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>
    /// Who has the interrupt controllers; <see cref="InterruptControllerMode.Kernel"/> and
    /// <see cref="InterruptControllerMode.Userspace"/> are accepted.
    /// </summary>
    public InterruptControllerMode InterruptControllerMode { get; init; } = InterruptControllerMode.Kernel;

    /// <summary>Whether the engine executes what the hypervisor cannot emulate.</summary>
    public bool SecondChance { get; init; } = true;

    /// <summary>Where the hypervisor interprets kernel mode, whether the engine executes it from the start.</summary>
    public bool CarriesFromStart { get; init; }

    /// <summary>The processor that the guest sees.</summary>
    public CpuModel CpuModel { get; init; } = CpuModel.Host;

    /// <summary>What happens to features that the model's changes leave without one that they need.</summary>
    public CpuDependencyPolicy CpuDependencies { get; init; }

    /// <summary>What happens to accesses to model-specific registers that nobody answers for.</summary>
    public UnclaimedMsr UnclaimedMsr { get; init; } = UnclaimedMsr.GeneralProtection;

    /// <summary>Which model-specific registers the hypervisor may handle by itself.</summary>
    public MsrExposurePolicy MsrExposure { get; init; } = MsrExposurePolicy.All;

    /// <summary>Whether the engine answers for registers that it knows and the hypervisor hands over.</summary>
    public bool EngineMsrs { get; init; } = true;

    /// <summary>Where the serial console's output goes; dropped when null.</summary>
    public IConsoleSink? Console { get; init; }

    /// <summary>
    /// Called when console input that had been refused could now be queued; see
    /// <see cref="SerialPortOptions.OnInputRoom"/>.
    /// </summary>
    public Action? OnConsoleInputRoom { get; init; }

    /// <summary>
    /// The machine's time, turned by what its one processor executes; time in which that waits is skipped. Null: the host's time.
    /// </summary>
    public ManualClock? Clock { get; init; }

    /// <summary>What the real-time clock says at the start; the host's time when null.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>How long the guest may run, at most 24 days; without a limit when null.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether to ask the host for huge pages under the guest's RAM.</summary>
    public bool HugePages { get; init; }

    /// <summary>Receives the machine's messages; silent when null.</summary>
    public ILogger? Logger { get; init; }
}
