// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>What the leaves from 0x40000000 on tell the guest.</summary>
public enum HypervisorLeaves
{
    /// <summary>KVM's leaves with its paravirtual features, as the hypervisor gives them.</summary>
    Kvm = 0,

    /// <summary>This engine's name and no paravirtual feature.</summary>
    Vmm,

    /// <summary>Nothing, and the bit that announces a hypervisor is clear: the guest takes itself to be on hardware.</summary>
    None,
}
