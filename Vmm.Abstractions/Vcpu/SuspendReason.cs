// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>Why a VM is suspended (<c>vm_suspend_how</c>).</summary>
public enum SuspendReason
{
    /// <summary>It is not.</summary>
    None = 0,

    /// <summary>Reset.</summary>
    Reset = 1,

    /// <summary>Power off.</summary>
    PowerOff = 2,

    /// <summary>Every vCPU halted with interrupts disabled.</summary>
    Halt = 3,

    /// <summary>A triple fault.</summary>
    TripleFault = 4,
}
