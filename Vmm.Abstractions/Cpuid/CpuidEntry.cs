// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Cpuid;

/// <summary>The answer to one CPUID query (<c>struct vcpu_cpuid_entry</c>).</summary>
/// <param name="Function">The leaf, as EAX asks for it.</param>
/// <param name="Index">The subleaf, as ECX asks for it; without meaning unless <paramref name="MatchIndex"/>.</param>
/// <param name="MatchIndex">Whether the entry answers only its own subleaf (<c>VCE_FLAG_MATCH_INDEX</c>).</param>
/// <param name="Eax">EAX.</param>
/// <param name="Ebx">EBX.</param>
/// <param name="Ecx">ECX.</param>
/// <param name="Edx">EDX.</param>
public readonly record struct CpuidEntry(
    uint Function,
    uint Index,
    bool MatchIndex,
    uint Eax,
    uint Ebx,
    uint Ecx,
    uint Edx);
