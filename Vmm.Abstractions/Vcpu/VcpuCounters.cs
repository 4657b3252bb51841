// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>What happened to a vCPU since it was created, counted (<c>vcpu_stats</c>).</summary>
/// <param name="Exits">Returns from the guest, of any kind.</param>
/// <param name="PortExits">Exits for port input or output.</param>
/// <param name="MmioExits">Exits for memory-mapped input or output.</param>
/// <param name="MsrExits">Exits for RDMSR and WRMSR.</param>
/// <param name="HaltExits">Exits for HLT.</param>
/// <param name="HypercallExits">Exits for hypercalls.</param>
/// <param name="OtherExits">Exits of any other kind, interrupt windows and steps among them.</param>
/// <param name="Kicks">Returns because another thread asked for one.</param>
/// <param name="UnclaimedPorts">Port accesses that nobody claimed and the default answered.</param>
/// <param name="UnclaimedMmio">Memory-mapped accesses that nobody claimed and the default answered.</param>
/// <param name="UnclaimedMsrs">MSR accesses that nobody claimed and the default answered.</param>
/// <param name="RequestIdleExits">Exits because another thread wanted the vCPU.</param>
/// <param name="Exceptions">Exceptions injected by the engine.</param>
/// <param name="Nmis">NMIs delivered.</param>
/// <param name="ExternalInterrupts">8259-style interrupts delivered.</param>
[VmmKernelSymbol("vcpu_stats")]
public readonly record struct VcpuCounters(
    long Exits,
    long PortExits,
    long MmioExits,
    long MsrExits,
    long HaltExits,
    long HypercallExits,
    long OtherExits,
    long Kicks,
    long UnclaimedPorts,
    long UnclaimedMmio,
    long UnclaimedMsrs,
    long RequestIdleExits,
    long Exceptions,
    long Nmis,
    long ExternalInterrupts)
{
    /// <summary>Instructions that the hypervisor gave up on and the engine executed or raised the exception of.</summary>
    public long SecondChances { get; init; }

    /// <summary>Instructions that the engine executed: those it began with, and the rest of their batches.</summary>
    public long EmulatedInstructions { get; init; }

    /// <summary>Exits for RDMSR; <see cref="MsrExits"/> less these are for WRMSR.</summary>
    public long MsrReads { get; init; }

    /// <summary>Exits because the guest could take an interrupt that waited.</summary>
    public long InterruptWindows { get; init; }

    /// <summary>Exits after an instruction that was stepped.</summary>
    public long MonitorTraps { get; init; }

    /// <summary>Times that the vCPU was entered on another processor of the host than before.</summary>
    public long HostCpuMigrations { get; init; }

    /// <summary>
    /// Times that the hypervisor executed one instruction, or waited, while the engine carried the guest's kernel mode.
    /// </summary>
    public long HypervisorSteps { get; init; }
}
