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

    /// <summary>
    /// Paravirtual features of KVM (Linux, Documentation/virt/kvm/x86/cpuid.rst) that need its local APIC: asynchronous page faults
    /// (4, 10, 14), EOI (6), unhalting (7), IPIs (11), yielding to a target (13), extended MSI destinations (15).
    /// </summary>
    private const uint KvmInterruptFeatures =
        (1 << 4) | (1 << 6) | (1 << 7) | (1 << 10) | (1 << 11) | (1 << 13) | (1 << 14) | (1 << 15);

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

    /// <summary>
    /// Makes entries describe a local APIC of the engine: what only a hypervisor's own has, its paravirtual interrupts, is left out.
    /// </summary>
    /// <param name="entries">The entries, changed in place.</param>
    /// <param name="tscDeadline">Whether its timer has the TSC-deadline mode.</param>
    /// <param name="announce">Whether what it has is announced; else only what it lacks is taken away.</param>
    internal static void DescribeLocalApic(Span<CpuidEntry> entries, bool tscDeadline, bool announce)
    {
        const uint X2Apic = 1 << 21;
        const uint TscDeadline = 1 << 24;
        const uint Apic = 1 << 9;
        const uint KvmFeatures = 0x4000_0001;
        uint lacks = tscDeadline ? 0 : TscDeadline;
        uint has = announce ? X2Apic | (TscDeadline & ~lacks) : 0;
        foreach (ref CpuidEntry entry in entries)
        {
            entry = entry.Function switch
            {
                1 => entry with { Ecx = (entry.Ecx | has) & ~lacks, Edx = entry.Edx | (announce ? Apic : 0) },
                KvmFeatures => entry with { Eax = entry.Eax & ~KvmInterruptFeatures },
                _ => entry,
            };
        }
    }
}
