// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>What a vCPU's time is spent on (<c>enum vcpu_ustate</c>).</summary>
[VmmKernelSymbol("vcpu_ustate")]
public enum VcpuTimeState
{
    /// <summary>It has not tried to run yet, or waits for the others of a suspended VM.</summary>
    [VmmKernelSymbol("VU_INIT")]
    Init = 0,

    /// <summary>The guest executes.</summary>
    [VmmKernelSymbol("VU_RUN")]
    Run = 1,

    /// <summary>It waits: HLT, or for a start-up interrupt.</summary>
    [VmmKernelSymbol("VU_IDLE")]
    Idle = 2,

    /// <summary>The engine and its handlers work for it.</summary>
    [VmmKernelSymbol("VU_EMU_KERN")]
    EmulationEngine = 3,

    /// <summary>The embedder works for it, between two runs.</summary>
    [VmmKernelSymbol("VU_EMU_USER")]
    EmulationUser = 4,

    /// <summary>It could run and has no host CPU.</summary>
    [VmmKernelSymbol("VU_SCHED")]
    Scheduled = 5,
}
