// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Kvm.Chips;

/// <summary>What executes a guest of the chips, and who has them.</summary>
public enum ChipHost
{
    /// <summary>KVM, and the engine's chips.</summary>
    Userspace,

    /// <summary>KVM with its local APICs, and the engine's other chips.</summary>
    Split,

    /// <summary>KVM with its chips.</summary>
    Kernel,

    /// <summary>The processor in software, and the engine's chips.</summary>
    Software,
}
