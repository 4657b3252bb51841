// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>Who has the interrupt controllers of a VM.</summary>
public enum InterruptControllerMode
{
    /// <summary>The engine has all of them; the hypervisor only injects what it is told.</summary>
    Userspace = 0,

    /// <summary>The hypervisor has the local APICs; the engine has the 8259 pair, the I/O APIC and the 8254.</summary>
    Split = 1,

    /// <summary>The hypervisor has all of them.</summary>
    Kernel = 2,
}
