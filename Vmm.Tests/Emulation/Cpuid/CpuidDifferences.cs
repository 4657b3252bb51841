// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;
using Vmm.Engine.SecondChance;
using Vmm.Kvm;

namespace Vmm.Tests.Emulation.Cpuid;

/// <summary>Compares the leaves of a model with those that a guest or KVM shows.</summary>
internal static class CpuidDifferences
{
    /// <summary>
    /// What a PVM host shows guests whatever their model says: code in user mode runs on the processor itself and could find
    /// most of it out anyway. Leaf 0xD is PVM's own as well, and leaf 7 has as many subleaves as the processor's.
    /// </summary>
    private static readonly string[] s_shownByPvm =
    [
        .. "fpu vme de pse tsc msr pae mce cx8 sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ss ht".Split(' '),
        .. "pni pclmulqdq ssse3 fma sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand".Split(' '),
        .. "fsgsbase tsc_adjust bmi1 avx2 fdp_excptn_only smep bmi2 erms zero_fcs_fds mpx avx512f avx512dq rdseed adx smap".Split(' '),
        .. "avx512ifma clflushopt clwb avx512cd sha_ni avx512bw avx512vl umip avx512_vnni".Split(' '),
        .. "avx512vbmi avx512_vbmi2 gfni vaes vpclmulqdq avx512_bitalg avx512_vpopcntdq fsrm avx512_vp2intersect".Split(' '),
        .. "avx_vnni avx512_bf16".Split(' '),
        .. "md_clear spec_ctrl intel_stibp flush_l1d arch_capabilities spec_ctrl_ssbd".Split(' '),
    ];

    /// <summary>What KVM emulates on every processor and a PVM host nevertheless shows only where the processor has it: not AMD's.</summary>
    private const string OfTheProcessorOnPvm = "arch_capabilities";

    /// <summary>The lines in which two sets of leaves differ, but for what the host forces and what KVM keeps current.</summary>
    public static IEnumerable<string> Between(IEnumerable<CpuidEntry> wanted, IEnumerable<CpuidEntry> found) =>
        Between(wanted, found, KvmHost.Detect() == HostVirtualization.Pvm);

    /// <summary>
    /// The same for a guest that is on a PVM host's KVM, or is not; there the engine may carry its kernel mode, which is not shown what nobody
    /// executes (decision 9).
    /// </summary>
    public static IEnumerable<string> Between(IEnumerable<CpuidEntry> wanted, IEnumerable<CpuidEntry> found, bool isPvm, bool isCarried = false)
    {
        IEnumerable<CpuidEntry> shown = isPvm ? AsOnPvm(wanted) : wanted;
        List<string> left = [.. (isPvm && isCarried ? shown.Select(CarriedProcessor.WithoutAbsent) : shown).Select(Text)];
        List<string> right = [.. found.Where(entry => !isPvm || entry.Function != 0xd).Select(Text)];
        return [.. left.Except(right).Select(line => $"wanted {line}"), .. right.Except(left).Select(line => $"found {line}")];
    }

    /// <summary>What a PVM host makes of a model: see <see cref="s_shownByPvm"/>.</summary>
    public static ImmutableArray<CpuidEntry> AsOnPvm(IEnumerable<CpuidEntry> wanted)
    {
        CpuDefinition definition = new([.. wanted.Where(entry => entry.Function != 0xd)]);
        CpuDefinition processor = Machines.Native();
        foreach (CpuFeature feature in CpuFeatures.All.Where(feature => s_shownByPvm.Contains(feature.Name) && processor.Has(feature)))
        {
            if (definition.TryGet(feature.Function, feature.Index, out _))
            {
                definition.SetBit(feature, enabled: true);
            }
        }

        if (!processor.Has(OfTheProcessorOnPvm) && CpuFeatures.TryFind(OfTheProcessorOnPvm, out CpuFeature emulated))
        {
            definition.SetBit(emulated, enabled: false);
        }

        if (definition.TryGet(7, 0, out CpuidEntry structured) && processor.TryGet(7, 0, out CpuidEntry own))
        {
            definition.Put(structured with { Eax = Math.Max(structured.Eax, own.Eax) });
        }

        return definition.Entries;
    }

    private static string Text(CpuidEntry entry)
    {
        CpuidEntry known = WithoutState(entry);
        return $"{known.Function:x}.{known.Index:x}: {known.Eax:x8} {known.Ebx:x8} {known.Ecx:x8} {known.Edx:x8}";
    }

    /// <summary>Without what KVM keeps current: OSXSAVE, APIC and MWAIT, OSPKE, the sizes of the XSAVE area, its own clock's ratio.</summary>
    private static CpuidEntry WithoutState(CpuidEntry entry) => (entry.Function, entry.Index) switch
    {
        (1, _) => entry with { Ecx = entry.Ecx & ~(1u << 27 | 1u << 3), Edx = entry.Edx & ~(1u << 9) },
        (7, 0) => entry with { Ecx = entry.Ecx & ~(1u << 4) },
        (0xd, 0 or 1) => entry with { Ebx = 0 },
        _ => entry,
    };
}
