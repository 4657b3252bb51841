// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>Where a vCPU is in the INIT and start-up sequence (<c>vcpu_run_state</c>).</summary>
[Flags]
public enum VcpuRunState
{
    /// <summary>Nothing set: the vCPU sleeps until someone starts it.</summary>
    Halt = 0,

    /// <summary>An INIT was processed: it waits for a start-up interrupt, or has had one.</summary>
    Init = 1 << 0,

    /// <summary>It executes.</summary>
    Run = 1 << 1,

    /// <summary>An INIT is waiting to be processed.</summary>
    PendingInit = 1 << 14,

    /// <summary>A start-up interrupt is waiting to be processed.</summary>
    PendingSipi = 1 << 15,
}
