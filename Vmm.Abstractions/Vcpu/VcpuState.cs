// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// Who has a vCPU (<c>enum vcpu_state</c>). Allowed transitions: idle to and from frozen, frozen to and from running,
/// frozen to and from sleeping.
/// </summary>
[VmmKernelSymbol("vcpu_state")]
public enum VcpuState
{
    /// <summary>Nobody owns it.</summary>
    [VmmKernelSymbol("VCPU_IDLE")]
    Idle = 0,

    /// <summary>A thread owns it and the guest does not execute.</summary>
    [VmmKernelSymbol("VCPU_FROZEN")]
    Frozen = 1,

    /// <summary>The guest executes on it.</summary>
    [VmmKernelSymbol("VCPU_RUNNING")]
    Running = 2,

    /// <summary>Its thread waits for an event on the guest's behalf.</summary>
    [VmmKernelSymbol("VCPU_SLEEPING")]
    Sleeping = 3,
}
