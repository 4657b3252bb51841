// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>The answers of a vCPU without a configuration: the host's, leaf by leaf adapted (<c>legacy_emulate_cpuid</c>).</summary>
public static class LegacyCpuid
{
    private const uint FirstExtended = 0x8000_0000;
    private const uint FirstHypervisor = 0x4000_0000;

    // Leaf 1: VMX, SMX, EST, TM2, MONITOR, PDCM, x2APIC, TSC deadline, XSAVE, OSXSAVE in ECX; ACPI, TM, DS in EDX.
    private const uint HiddenEcx = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 3 | 1 << 15 | X2Apic | 1 << 24 | Xsave | OsXsave;
    private const uint HiddenEdx = 1 << 22 | 1 << 29 | 1 << 21;
    private const uint X2Apic = 1 << 21;
    private const uint Xsave = 1 << 26;
    private const uint OsXsave = 1 << 27;
    private const uint Hypervisor = 1u << 31;

    // MCE, MTRR, MCA, HTT.
    private const uint AlwaysEdx = 1 << 7 | 1 << 12 | 1 << 14 | 1 << 28;

    // FSGSBASE, BMI1, HLE, AVX2, SMEP, BMI2, ERMS, RTM, AVX512F, RDSEED, SMAP, AVX512PF/ER/CD, SHA.
    private const uint StructuredEbx =
        1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 16 | 1 << 18 | 1 << 20 | 7 << 26 | 1 << 29;

    private const uint Invpcid = 1 << 10;
    private const uint MdClear = 1 << 10;

    // SVM, OSVW, IBS, NodeId, core and NB and L2I counters, MWAITX, TCE in ECX; FFXSR, RDTSCP in EDX.
    private const uint HiddenExtendedEcx =
        1 << 2 | 1 << 9 | 1 << 10 | 1 << 17 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 28 | 1 << 29;

    private const uint HiddenExtendedEdx = 1 << 25 | 1 << 27;

    /// <summary>Answers a query.</summary>
    /// <param name="host">The host's processor.</param>
    /// <param name="state">What the answer depends on besides.</param>
    /// <param name="function">The leaf (EAX).</param>
    /// <param name="index">The subleaf (ECX).</param>
    /// <returns>The answer; its function and index are those asked for.</returns>
    public static CpuidEntry Emulate(ICpuidSource host, in LegacyCpuidState state, uint function, uint index)
    {
        ArgumentNullException.ThrowIfNull(host);
        CpuidEntry head = host.Query(0, 0);
        bool isAmd = head.Ecx is 0x444d_4163 or 0x656e_6975;
        uint leaf = function switch
        {
            >= FirstExtended => Math.Min(function, Math.Max(FirstExtended, host.Query(FirstExtended, 0).Eax)),
            >= FirstHypervisor => FirstHypervisor,
            _ => Math.Min(function, head.Eax),
        };
        Shape shape = new(state);
        CpuidEntry given = host.Query(leaf, index);
        CpuidEntry answer = leaf < FirstExtended
            ? Standard(given, leaf, index, isAmd, state, shape)
            : Extended(given, host, leaf, index, isAmd, state, shape);
        return answer with { Function = function, Index = index };
    }

    private static CpuidEntry Standard(
        in CpuidEntry given, uint leaf, uint index, bool isAmd, in LegacyCpuidState state, in Shape shape) => leaf switch
        {
            1 => given with
            {
                Ebx = (given.Ebx & 0xffff) | Math.Min(shape.PerPackage, 255) << 16 | (state.VcpuNumber & 0xff) << 24,
                Ecx = (given.Ecx & ~HiddenEcx) | Hypervisor
                    | (state.IsX2ApicAllowed ? X2Apic : 0)
                    | (state.AllowedXcr0 != 0 ? given.Ecx & Xsave : 0)
                    | (state.AllowedXcr0 != 0 && state.IsOsXsaveSet ? OsXsave : 0),
                Edx = (given.Edx & ~HiddenEdx) | AlwaysEdx,
            },
            4 when (given.Eax & 0x1f) != 0 => given with
            {
                Eax = (given.Eax & 0x3fff)
                    | Math.Min((given.Eax >> 5 & 7) >= 3 ? shape.PerPackage - 1 : shape.Threads - 1, 0xfff) << 14
                    | Math.Min(shape.Cores - 1, 63) << 26,
            },
            4 => Zero(leaf),
            6 => Zero(leaf) with { Eax = given.Eax & 1 << 2 },
            7 when index == 0 => Zero(leaf) with
            {
                Ebx = given.Ebx & (StructuredEbx | (state.IsInvpcidEnabled ? Invpcid : 0)),
                Edx = given.Edx & MdClear,
            },
            7 or 0xa or 0xf or 0x10 or 0x15 => Zero(leaf),
            0xb => isAmd ? Zero(leaf) : Level(index, state.VcpuNumber, shape),
            0xd => State(given, index, state.AllowedXcr0),
            FirstHypervisor => Zero(leaf) with { Eax = FirstHypervisor, Ebx = 0x7679_6862, Ecx = 0x6862_2065, Edx = 0x2065_7679 },
            _ => given,
        };

    private static CpuidEntry Extended(
        in CpuidEntry given, ICpuidSource host, uint leaf, uint index, bool isAmd, in LegacyCpuidState state, in Shape shape)
    {
        const uint InvariantTsc = 1 << 8;
        switch (leaf)
        {
            case 0x8000_0001:
                return given with { Ecx = given.Ecx & ~HiddenExtendedEcx, Edx = given.Edx & ~HiddenExtendedEdx };
            case 0x8000_0007:
                return Zero(leaf) with { Edx = state.IsTscInvariant ? InvariantTsc : given.Edx & InvariantTsc };
            case 0x8000_0008 when isAmd:
                // CLZERO, IRPERF, XSAVEERPTR; a size of identifiers below four bits is the legacy method's, written as zero.
                uint width = (uint)BitOperations.Log2(BitOperations.RoundUpToPowerOf2(shape.PerPackage));
                return given with { Ebx = given.Ebx & 7, Ecx = (width < 4 ? 0 : width << 12) | Math.Min(shape.PerPackage - 1, 255), Edx = 0 };
            case 0x8000_001d when isAmd:
                return Cache(host, index, shape);
            case 0x8000_001e when isAmd && Family(host) >= 0x16:
                return Zero(leaf) with
                {
                    Eax = state.VcpuNumber,
                    Ebx = Math.Min(shape.Threads - 1, 255) << 8 | state.VcpuNumber / shape.Threads & 0xff,
                };
            default:
                return given;
        }
    }

    private static CpuidEntry Level(uint index, uint number, in Shape shape)
    {
        (uint width, uint count, uint kind) = index switch
        {
            0 => (Width(shape.Threads), shape.Threads, 1u << 8),
            1 => (Width(shape.PerPackage), shape.PerPackage, 2u << 8),
            _ => (0u, 0u, 0u),
        };
        return Zero(0xb) with { Eax = width, Ebx = count, Ecx = index & 0xff | kind, Edx = index > 1 ? 0 : number };
    }

    private static CpuidEntry State(in CpuidEntry given, uint index, ulong allowed) => index switch
    {
        _ when allowed == 0 => Zero(0xd),
        0 => given with { Eax = given.Eax & (uint)allowed, Edx = given.Edx & (uint)(allowed >> 32) },
        1 => Zero(0xd) with { Eax = given.Eax & 1 },
        < 64 when (allowed >> (int)index & 1) != 0 => given,
        _ => Zero(0xd),
    };

    /// <summary>Levels one and two serve a core, level three a package; only the line's size is the host's.</summary>
    private static CpuidEntry Cache(ICpuidSource host, uint index, in Shape shape)
    {
        const uint SelfInitializing = 1 << 8;
        const uint Data = 1;
        const uint Unified = 3;
        (uint kind, uint level, uint sharedBy) = index switch
        {
            0 => (Data, 1u, shape.Threads),
            1 => (Unified, 2u, shape.Threads),
            2 => (Unified, 3u, shape.PerPackage),
            _ => (0u, 0u, 0u),
        };
        if (kind == 0)
        {
            return Zero(0x8000_001d);
        }

        uint line = host.Query(1, 0).Ebx >> 8 & 0xff;
        return Zero(0x8000_001d) with
        {
            Eax = kind | level << 5 | SelfInitializing | Math.Min(sharedBy - 1, 0xfff) << 14,
            Ebx = Math.Max(line * 8, 1) - 1,
        };
    }

    private static uint Family(ICpuidSource host)
    {
        uint eax = host.Query(1, 0).Eax;
        uint family = eax >> 8 & 0xf;
        return family == 0xf ? family + (eax >> 20 & 0xff) : family;
    }

    private static uint Width(uint count) => (uint)BitOperations.Log2(BitOperations.RoundUpToPowerOf2(count));

    private static CpuidEntry Zero(uint leaf) => new(leaf, 0, false, 0, 0, 0, 0);

    private readonly struct Shape(in LegacyCpuidState state)
    {
        public uint Threads { get; } = Math.Max(1u, state.Topology.Threads);

        public uint Cores { get; } = Math.Max(1u, state.Topology.Cores);

        public uint PerPackage => (uint)Math.Min((ulong)Threads * Cores, uint.MaxValue >> 1);
    }
}
