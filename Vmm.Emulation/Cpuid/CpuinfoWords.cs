// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Emulation.Cpuid;

/// <summary>The words that Linux makes up for the flags in /proc/cpuinfo.</summary>
public static class CpuinfoWords
{
    /// <summary>The words, by name.</summary>
    public static ImmutableArray<CpuinfoWord> All { get; } =
    [
        new("amd_dcm",           "a package with several nodes", []),
        new("arch_perfmon",      "version of leaf 0xA above 1", []),
        new("art",               "leaf 0x15 has a ratio", []),
        new("bts",               "MISC_ENABLE: branch trace store", ["dts"]),
        new("constant_tsc",      "the TSC's rate does not depend on the processor's", []),
        new("cpuid",             "CPUID exists", []),
        new("cpuid_fault",       "MSR_PLATFORM_INFO, bit 31", []),
        new("ept",               "a VMX capability register", ["vmx"]),
        new("ept_ad",            "a VMX capability register", ["vmx"]),
        new("extd_apicid",       "APIC identifiers of eight bits", []),
        new("flexpriority",      "VMX capability registers", ["vmx"]),
        new("ibpb",              "indirect branch prediction barrier", ["spec_ctrl", "amd_ibpb"]),
        new("ibrs",              "indirect branch restricted speculation", ["spec_ctrl", "amd_ibrs"]),
        new("ibrs_enhanced",     "IA32_ARCH_CAPABILITIES, bit 1; or automatic IBRS", ["arch_capabilities", "autoibrs"]),
        new("nonstop_tsc_s3",    "the TSC counts in S3, by model", []),
        new("nopl",              "NOPL exists, as it does wherever there is a 64-bit mode", ["lm"]),
        new("pebs",              "MISC_ENABLE: precise events", ["dts"]),
        new("pti",               "the kernel separates its page tables", []),
        new("rep_good",          "REP is quick, by model", []),
        new("retpoline",         "how the kernel calls indirectly", []),
        new("ring3mwait",        "a model-specific register", ["monitor"]),
        new("split_lock_detect", "IA32_CORE_CAPABILITIES, bit 5", ["core_capabilities"]),
        new("ssbd",              "speculative store bypass disable", ["spec_ctrl_ssbd", "amd_ssbd", "virt_ssbd"]),
        new("stibp",             "single thread indirect branch predictors", ["intel_stibp", "amd_stibp"]),
        new("tpr_shadow",        "a VMX capability register", ["vmx"]),
        new("tsc_known_freq",    "the hypervisor or leaf 0x15 tells the TSC's frequency", []),
        new("tsc_reliable",      "the TSC needs no watchdog", []),
        new("up",                "a kernel for several processors runs on one", []),
        new("vmmcall",           "VMMCALL instead of VMCALL", []),
        new("vpid",              "a VMX capability register", ["vmx"]),
        new("xenpv",             "a paravirtual guest of Xen", []),
        new("xtopology",         "leaf 0xB or 0x1F tells the topology", []),
    ];

    /// <summary>Finds a word.</summary>
    /// <param name="name">The word.</param>
    /// <param name="word">What is known about it.</param>
    /// <returns>Whether Linux makes it up.</returns>
    public static bool TryFind(string name, out CpuinfoWord word)
    {
        word = All.FirstOrDefault(candidate => candidate.Name == name);
        return word.Name is not null;
    }
}
