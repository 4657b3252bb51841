// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <content>Performance monitoring and tracing. What starts counting comes last.</content>
public static partial class MsrRegistry
{
    private static MsrDescription[] Performance() =>
    [
        new(0xc1,        "IA32_PMC0",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x186,       "IA32_PERFEVTSEL0",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c1,       "IA32_A_PMC0",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc2,        "IA32_PMC1",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x187,       "IA32_PERFEVTSEL1",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c2,       "IA32_A_PMC1",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc3,        "IA32_PMC2",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x188,       "IA32_PERFEVTSEL2",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c3,       "IA32_A_PMC2",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc4,        "IA32_PMC3",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x189,       "IA32_PERFEVTSEL3",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c4,       "IA32_A_PMC3",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc5,        "IA32_PMC4",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x18a,       "IA32_PERFEVTSEL4",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c5,       "IA32_A_PMC4",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc6,        "IA32_PMC5",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x18b,       "IA32_PERFEVTSEL5",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c6,       "IA32_A_PMC5",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc7,        "IA32_PMC6",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x18c,       "IA32_PERFEVTSEL6",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c7,       "IA32_A_PMC6",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0xc8,        "IA32_PMC7",                     MsrLayer.Hypervisor, MsrRule.Any),
        new(0x18d,       "IA32_PERFEVTSEL7",              MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffffffff, Save: MsrSaveOrder.Last),
        new(0x4c8,       "IA32_A_PMC7",                   MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x309,       "IA32_FIXED_CTR0",               MsrLayer.Hypervisor, MsrRule.Any),
        new(0x30a,       "IA32_FIXED_CTR1",               MsrLayer.Hypervisor, MsrRule.Any),
        new(0x30b,       "IA32_FIXED_CTR2",               MsrLayer.Hypervisor, MsrRule.Any),
        new(0x30c,       "IA32_FIXED_CTR3",               MsrLayer.Hypervisor, MsrRule.Any),
        new(0x345,       "IA32_PERF_CAPABILITIES",        MsrLayer.Hypervisor, MsrRule.ReadOnly, Sensitivity: MsrSensitivity.Host, Save: MsrSaveOrder.First, Features: "pdcm"),
        new(0x38d,       "IA32_FIXED_CTR_CTRL",           MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xffff, Save: MsrSaveOrder.Last),
        new(0x38e,       "IA32_PERF_GLOBAL_STATUS",       MsrLayer.Hypervisor, MsrRule.ReadOnly),
        new(0x38f,       "IA32_PERF_GLOBAL_CTRL",         MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Last),
        new(0x390,       "IA32_PERF_GLOBAL_STATUS_RESET", MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x3f1,       "IA32_PEBS_ENABLE",              MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Last),
        new(0x600,       "IA32_DS_AREA",                  MsrLayer.Hypervisor, MsrRule.Canonical, Sensitivity: MsrSensitivity.Guest),
        new(0x3f2,       "MSR_PEBS_DATA_CFG",             MsrLayer.Hypervisor, MsrRule.Any),
        new(0x570,       "IA32_RTIT_CTL",                 MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Last, Features: "intel_pt"),
        new(0x571,       "IA32_RTIT_STATUS",              MsrLayer.Hypervisor, MsrRule.Any, Features: "intel_pt"),
        new(0x572,       "IA32_RTIT_CR3_MATCH",           MsrLayer.Hypervisor, MsrRule.Any, Sensitivity: MsrSensitivity.Guest, Features: "intel_pt"),
        new(0x14ce,      "IA32_LBR_CTL",                  MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Last, Features: "arch_lbr"),
        new(0x14cf,      "IA32_LBR_DEPTH",                MsrLayer.Hypervisor, MsrRule.Any, Features: "arch_lbr"),
    ];
}
