// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Numerics;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine.Cpuid;

/// <summary>
/// Makes the hypervisor's supported CPUID entries those of one vCPU: identifiers and topology are the vCPU's own (Intel
/// SDM volume 2, CPUID; the leaves 1, 4, 0xB and 0x1F).
/// </summary>
public static class VcpuCpuid
{
    private const uint HypervisorBit = 1u << 31;
    private const uint HyperThreadingBit = 1u << 28;

    /// <summary>Adapts entries to one vCPU.</summary>
    /// <param name="supported">The entries that the hypervisor can give.</param>
    /// <param name="id">The vCPU.</param>
    /// <param name="topology">The VM's topology.</param>
    /// <returns>The vCPU's entries.</returns>
    public static CpuidEntry[] Adapt(ImmutableArray<CpuidEntry> supported, VcpuId id, CpuTopology topology)
    {
        uint threads = Math.Max(1u, topology.Threads);
        uint perPackage = Math.Max(1u, (uint)topology.Threads * topology.Cores);
        CpuidEntry[] entries = [.. supported];
        foreach (ref CpuidEntry entry in entries.AsSpan())
        {
            entry = entry.Function switch
            {
                1 => entry with
                {
                    Ebx = (entry.Ebx & 0x0000ffff) | (Math.Min(perPackage, 255) << 16) | ((uint)(id.Value & 0xff) << 24),
                    Ecx = entry.Ecx | HypervisorBit,
                    Edx = perPackage > 1 ? entry.Edx | HyperThreadingBit : entry.Edx & ~HyperThreadingBit,
                },
                4 when (entry.Eax & 0x1f) != 0 => entry with
                {
                    Eax = (entry.Eax & 0x3fff)
                        | ((((entry.Eax >> 5) & 7) >= 3 ? perPackage - 1 : threads - 1) << 14)
                        | (((perPackage / threads) - 1) << 26),
                },
                0xb or 0x1f => Level(entry, id, threads, perPackage),
                _ => entry,
            };
        }

        return entries;
    }

    private static CpuidEntry Level(in CpuidEntry entry, VcpuId id, uint threads, uint perPackage)
    {
        const uint Thread = 1 << 8;
        const uint Core = 2 << 8;
        (uint shift, uint count, uint kind) = entry.Index switch
        {
            0 => (Width(threads), threads, Thread),
            1 => (Width(perPackage), perPackage, Core),
            _ => (0u, 0u, 0u),
        };
        return entry with { Eax = shift, Ebx = count, Ecx = entry.Index | kind, Edx = (uint)id.Value };
    }

    private static uint Width(uint count) => (uint)BitOperations.Log2(BitOperations.RoundUpToPowerOf2(count));
}
