// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>How to make a vCPU notice that something changed (<c>vcpu_notify_t</c>).</summary>
[VmmKernelSymbol("vcpu_notify")]
[VmmKernelSymbol("vcpu_notify_t")]
public enum VcpuNotification
{
    /// <summary>Do nothing.</summary>
    [VmmKernelSymbol("VCPU_NOTIFY_NONE")]
    None = 0,

    /// <summary>An interrupt is pending: a posted interrupt where the hardware has it, an exit otherwise.</summary>
    [VmmKernelSymbol("VCPU_NOTIFY_APIC")]
    Apic = 1,

    /// <summary>Force the guest to exit.</summary>
    [VmmKernelSymbol("VCPU_NOTIFY_EXIT")]
    Exit = 2,
}
