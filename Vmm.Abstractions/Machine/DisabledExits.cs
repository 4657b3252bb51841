// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>
/// Instructions that a VM executes without leaving the guest, for a host whose processors belong to the guest anyway: a vCPU that
/// waits keeps its processor. Chosen with the VM, because a hypervisor fixes it before there are vCPUs.
/// </summary>
[Flags]
public enum DisabledExits
{
    /// <summary>All of them leave the guest as usual.</summary>
    None = 0,

    /// <summary>HLT: <see cref="Vcpu.VcpuCapability.HaltExit"/> is off.</summary>
    Halt = 1 << 0,

    /// <summary>PAUSE.</summary>
    Pause = 1 << 1,

    /// <summary>MONITOR and MWAIT.</summary>
    Mwait = 1 << 2,
}
