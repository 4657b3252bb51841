// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;

namespace Vmm.Emulation.Cpuid;

/// <summary>What the legacy answers depend on besides the host's processor.</summary>
/// <param name="VcpuNumber">The vCPU's number, which is its APIC identifier.</param>
/// <param name="Topology">The VM's topology.</param>
/// <param name="IsX2ApicAllowed">Whether the vCPU may enable x2APIC mode.</param>
/// <param name="IsOsXsaveSet">Whether the guest has set CR4.OSXSAVE.</param>
/// <param name="IsInvpcidEnabled">Whether the vCPU has the capability for INVPCID.</param>
/// <param name="AllowedXcr0">The components that the guest may enable in XCR0; 0 when the host does not use XSAVE.</param>
/// <param name="IsTscInvariant">Whether the TSC is said to be invariant even if the host's does not say so.</param>
public readonly record struct LegacyCpuidState(
    uint VcpuNumber,
    CpuTopology Topology,
    bool IsX2ApicAllowed = false,
    bool IsOsXsaveSet = false,
    bool IsInvpcidEnabled = false,
    ulong AllowedXcr0 = 0,
    bool IsTscInvariant = false);
