// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.Faults;
using Vmm.Engine.Memory;
using Vmm.Engine.SecondChance;
using Vmm.Machine.Diagnostics;

namespace Vmm.Machine.Board;

/// <summary>How a machine's run ended.</summary>
public sealed record MachineResult
{
    /// <summary>Why it ended.</summary>
    public required MachineEnd End { get; init; }

    /// <summary>A sentence about it for a person.</summary>
    public required string Detail { get; init; }

    /// <summary>The vCPU that ended it; null when none in particular did.</summary>
    public VcpuId? Vcpu { get; init; }

    /// <summary>For <see cref="MachineEnd.DebugExit"/> the exit code that the guest asked for, always odd.</summary>
    public int? DebugExitCode { get; init; }

    /// <summary>The exit that ended it, where one did.</summary>
    public VmExit? Exit { get; init; }

    /// <summary>The instruction it ended at, where its bytes are known.</summary>
    public InstructionReport? Instruction { get; init; }

    /// <summary>For <see cref="MachineEnd.EmulationFailure"/> why the engine did not execute the instruction either.</summary>
    public EmulationRefusal Refusal { get; init; }

    /// <summary>For <see cref="MachineEnd.EmulationFailure"/> how the instruction's address translates; null when it is not known.</summary>
    public PageWalk? PageWalk { get; init; }

    /// <summary>For <see cref="MachineEnd.TripleFault"/> what led to it; null when the guest itself did not.</summary>
    public TripleFaultReport? TripleFault { get; init; }

    /// <summary>What the engine executed because the hypervisor could not; null when there was nothing.</summary>
    public SecondChanceReport? SecondChances { get; init; }

    /// <summary>The model-specific registers whose accesses reached this process; null when none did.</summary>
    public MsrReport? Msrs { get; init; }

    /// <summary>Every vCPU's registers and figures after the end, by number.</summary>
    public required ImmutableArray<VcpuReport> Vcpus { get; init; }

    /// <summary>What the hypervisor counted of the VM.</summary>
    public ImmutableArray<BackendStatistic> Statistics { get; init; } = [];

    /// <summary>What the hypervisor counted of each vCPU, by number.</summary>
    public ImmutableArray<ImmutableArray<BackendStatistic>> VcpuStatistics { get; init; } = [];

    /// <summary>For <see cref="MachineEnd.HostError"/> the exception.</summary>
    public Exception? Error { get; init; }

    /// <summary>From the first vCPU's start to the last one's end.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The hypervisor.</summary>
    public required HypervisorDescription Hypervisor { get; init; }
}
