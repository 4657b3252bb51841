// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Machine;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// The leaves that belong to one vCPU: identifiers and topology (Intel SDM volume 2, CPUID leaves 1, 4, 0xB and 0x1F; AMD APM
/// volume 3, leaves 0x80000001, 0x80000008, 0x8000001D and 0x8000001E).
/// </summary>
public static class VcpuLeaves
{
    private const uint HyperThreading = 1u << 28;
    private const uint CmpLegacy = 1u << 1;
    private const uint ThreadLevel = 1 << 8;
    private const uint CoreLevel = 2 << 8;

    /// <summary>
    /// The APIC identifier of a vCPU: package, core and thread side by side, each in as many bits as its count needs. It
    /// equals the vCPU's number where cores and threads are powers of two, or where there is one package and one thread a core.
    /// </summary>
    /// <param name="number">The vCPU's number, not negative.</param>
    /// <param name="topology">The VM's topology; a count of zero is one.</param>
    /// <returns>The identifier.</returns>
    public static uint ApicId(int number, CpuTopology topology)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        Shape shape = new(topology);
        (uint core, uint thread) = Math.DivRem((uint)number, shape.Threads);
        (uint package, core) = Math.DivRem(core, shape.Cores);
        return package << shape.PackageShift | core << shape.CoreShift | thread;
    }

    /// <summary>Makes a processor's leaves those of one vCPU.</summary>
    /// <param name="entries">The processor's leaves, ordered by function and index.</param>
    /// <param name="apicId">The vCPU's APIC identifier, the one that its local APIC has.</param>
    /// <param name="topology">The VM's topology; a count of zero is one.</param>
    /// <returns>The vCPU's leaves, in the same order.</returns>
    public static CpuidEntry[] Adapt(ReadOnlySpan<CpuidEntry> entries, uint apicId, CpuTopology topology)
    {
        Shape shape = new(topology);
        bool isAmd = IsAmd(entries);
        List<CpuidEntry> adapted = new(entries.Length + 4);
        uint levelsOf = 0;
        foreach (ref readonly CpuidEntry entry in entries)
        {
            if (entry.Function is not (0xb or 0x1f))
            {
                adapted.Add(Adapt(entry, apicId, shape, isAmd));
            }
            else if (entry.Function != levelsOf)
            {
                levelsOf = entry.Function;
                adapted.Add(new CpuidEntry(levelsOf, 0, true, (uint)shape.CoreShift, shape.Threads, ThreadLevel, apicId));
                adapted.Add(new CpuidEntry(levelsOf, 1, true, (uint)shape.PackageShift, shape.PerPackage, 1 | CoreLevel, apicId));
                adapted.Add(new CpuidEntry(levelsOf, 2, true, 0, 0, 2, apicId));
            }
        }

        return [.. adapted];
    }

    private static CpuidEntry Adapt(in CpuidEntry entry, uint apicId, in Shape shape, bool isAmd)
    {
        switch (entry.Function)
        {
            case 1:
                return entry with
                {
                    Ebx = (entry.Ebx & 0xffff) | Math.Min(shape.PerPackage, 255) << 16 | (apicId & 0xff) << 24,
                    Edx = shape.PerPackage > 1 ? entry.Edx | HyperThreading : entry.Edx & ~HyperThreading,
                };
            case 4 when (entry.Eax & 0x1f) != 0:
                return entry with
                {
                    Eax = (entry.Eax & 0x3fff) | SharedBy(entry.Eax, shape) << 14 | Math.Min(shape.Cores - 1, 63) << 26,
                };
            case 0x8000_0001 when isAmd:
                return entry with { Ecx = shape.PerPackage > 1 ? entry.Ecx | CmpLegacy : entry.Ecx & ~CmpLegacy };
            case 0x8000_0008 when isAmd:
                return entry with { Ecx = (entry.Ecx & 0xffff_0000) | (uint)shape.PackageShift << 12 | Math.Min(shape.PerPackage - 1, 255) };
            case 0x8000_001d when (entry.Eax & 0x1f) != 0:
                return entry with { Eax = (entry.Eax & 0x3fff) | SharedBy(entry.Eax, shape) << 14 };
            case 0x8000_001e:
                // Core and node are numbered within eight bits; what is larger wraps, as it does in the processor's fields.
                uint core = apicId >> shape.CoreShift & ((1u << shape.PackageShift - shape.CoreShift) - 1);
                return entry with { Eax = apicId, Ebx = Math.Min(shape.Threads - 1, 255) << 8 | core & 0xff, Ecx = apicId >> shape.PackageShift & 0xff };
            default:
                return entry;
        }
    }

    /// <summary>Caches of level 3 serve a package, those below serve a core; the field has twelve bits.</summary>
    private static uint SharedBy(uint eax, in Shape shape) =>
        Math.Min(((eax >> 5) & 7) >= 3 ? shape.PerPackage - 1 : shape.Threads - 1, 0xfff);

    private static bool IsAmd(ReadOnlySpan<CpuidEntry> entries)
    {
        const uint AuthenticAmd = 0x444d_4163;
        const uint HygonGenuine = 0x656e_6975;
        foreach (ref readonly CpuidEntry entry in entries)
        {
            if (entry.Function == 0)
            {
                return entry.Ecx is AuthenticAmd or HygonGenuine;
            }
        }

        return false;
    }

    /// <summary>A topology's counts, and where the fields of an APIC identifier begin.</summary>
    private readonly struct Shape
    {
        public Shape(CpuTopology topology)
        {
            Threads = Math.Max(1u, topology.Threads);
            Cores = Math.Max(1u, topology.Cores);
            CoreShift = Width(Threads);

            // A count of 65,536 threads or cores would leave no bit for the rest; 32 bits are all that x2APIC has.
            PackageShift = Math.Min(31, CoreShift + Width(Cores));
        }

        public uint Threads { get; }

        public uint Cores { get; }

        public uint PerPackage => (uint)Math.Min((ulong)Threads * Cores, uint.MaxValue);

        public int CoreShift { get; }

        public int PackageShift { get; }

        private static int Width(uint count) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2(count));
    }
}
