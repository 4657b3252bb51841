// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>What a processor model starts from.</summary>
public enum CpuModelBase
{
    /// <summary>Everything that the hypervisor says it can give (<c>host</c>).</summary>
    Host = 0,

    /// <summary>That, and what KVM's local APIC adds without saying so (<c>max</c>).</summary>
    Max,

    /// <summary>The host without what PVM's instruction interpreter does not know (<c>pvm-friendly</c>).</summary>
    PvmFriendly,

    /// <summary>The x86-64 psABI's baseline (<c>x86-64-v1</c>).</summary>
    Level1,

    /// <summary>The psABI's second level (<c>x86-64-v2</c>).</summary>
    Level2,

    /// <summary>The psABI's third level (<c>x86-64-v3</c>).</summary>
    Level3,

    /// <summary>The psABI's fourth level (<c>x86-64-v4</c>).</summary>
    Level4,

    /// <summary>The leaves of a profile.</summary>
    Profile,
}
