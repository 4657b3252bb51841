// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Emulation.Cpuid;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// What CPUID tells kernel mode that the engine carries: the hypervisor's answer without the features whose instructions neither its
/// emulator nor the executor has, whatever the processor of the host could do in user mode.
/// </summary>
internal static class CarriedProcessor
{
    private const uint StateLeaf = 0xD;

    /// <summary>Components of XCR0 beside x87, SSE, AVX, MPX and PKRU belong to features that are absent.</summary>
    private const uint PresentStates = 0x21F;

    private static readonly string[] s_roots =
    [
        "avx512f", "gfni", "vaes", "vpclmulqdq", "avx_vnni", "avx_ifma", "avx_vnni_int8", "avx_vnni_int16", "avx_ne_convert", "sha512", "sm3", "sm4",
        "amx_tile", "cmpccxadd", "rao_int", "movrs", "cr8_legacy",
    ];

    private static readonly CpuFeature[] s_absent = [.. CpuFeatures.All.Where(IsAbsent)];

    /// <summary>Takes absent features out of an answer.</summary>
    /// <param name="answer">What CPUID answered for a leaf and a subleaf.</param>
    /// <returns>The same without them.</returns>
    public static CpuidEntry WithoutAbsent(CpuidEntry answer)
    {
        foreach (ref readonly CpuFeature feature in s_absent.AsSpan())
        {
            if (feature.IsIn(in answer))
            {
                answer = feature.With(in answer, enabled: false);
            }
        }

        return answer.Function != StateLeaf ? answer : answer.Index switch
        {
            0 => answer with { Eax = answer.Eax & PresentStates, Edx = 0 },
            1 => answer,
            >= 32 => Empty(answer),
            _ => (PresentStates >> (int)answer.Index & 1) != 0 ? answer : Empty(answer),
        };
    }

    private static CpuidEntry Empty(CpuidEntry answer) => answer with { Eax = 0, Ebx = 0, Ecx = 0, Edx = 0 };

    private static bool IsAbsent(CpuFeature feature) => s_roots.Contains(feature.Name)
        || feature.Needs.Split(' ', StringSplitOptions.RemoveEmptyEntries).Any(static name => CpuFeatures.TryFind(name, out CpuFeature needed) && IsAbsent(needed));
}
