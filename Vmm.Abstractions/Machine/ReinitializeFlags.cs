// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>How a VM is reinitialized (<c>VM_REINIT_F_*</c>).</summary>
[Flags]
public enum ReinitializeFlags
{
    /// <summary>Only a VM whose active vCPUs are all suspended is reinitialized.</summary>
    None = 0,

    /// <summary>Active vCPUs that are not suspended are suspended first.</summary>
    ForceSuspend = 1,
}
