// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>Why a hypervisor hands an MSR access over (KVM: <c>KVM_MSR_EXIT_REASON_*</c>).</summary>
public enum MsrExitReason
{
    /// <summary>It does not know the register.</summary>
    Unknown = 0,

    /// <summary>It knows the register and refuses the access: on this vCPU it does not exist, or it does not take the value.</summary>
    Refused,

    /// <summary>The VM's filter keeps the access from it.</summary>
    Filtered,
}
