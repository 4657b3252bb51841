// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Cpuid;

namespace Vmm.Engine.Cpuid;

/// <summary>Makes the hypervisor's supported CPUID entries those of one vCPU, whose APIC identifier is its number.</summary>
public static class VcpuCpuid
{
    private const uint HypervisorBit = 1u << 31;

    /// <summary>Adapts entries to one vCPU.</summary>
    /// <param name="supported">The entries that the hypervisor can give.</param>
    /// <param name="id">The vCPU.</param>
    /// <param name="topology">The VM's topology.</param>
    /// <returns>The vCPU's entries, with the bit that announces a hypervisor set.</returns>
    public static CpuidEntry[] Adapt(ImmutableArray<CpuidEntry> supported, VcpuId id, CpuTopology topology)
    {
        CpuidEntry[] entries = VcpuLeaves.Adapt(supported.AsSpan(), (uint)id.Value, topology);
        foreach (ref CpuidEntry entry in entries.AsSpan())
        {
            entry = entry.Function == 1 ? entry with { Ecx = entry.Ecx | HypervisorBit } : entry;
        }

        return entries;
    }
}
