// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <content>Registers of nested virtualization and of paravirtual interfaces: KVM's and Hyper-V's.</content>
public static partial class MsrRegistry
{
    private static MsrDescription[] Virtualization() =>
    [
        new(0x480,       "IA32_VMX_BASIC",                MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x481,       "IA32_VMX_PINBASED_CTLS",        MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x482,       "IA32_VMX_PROCBASED_CTLS",       MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x483,       "IA32_VMX_EXIT_CTLS",            MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x484,       "IA32_VMX_ENTRY_CTLS",           MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x485,       "IA32_VMX_MISC",                 MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x486,       "IA32_VMX_CR0_FIXED0",           MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x487,       "IA32_VMX_CR0_FIXED1",           MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x488,       "IA32_VMX_CR4_FIXED0",           MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x489,       "IA32_VMX_CR4_FIXED1",           MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48a,       "IA32_VMX_VMCS_ENUM",            MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48b,       "IA32_VMX_PROCBASED_CTLS2",      MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48c,       "IA32_VMX_EPT_VPID_CAP",         MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48d,       "IA32_VMX_TRUE_PINBASED_CTLS",   MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48e,       "IA32_VMX_TRUE_PROCBASED_CTLS",  MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x48f,       "IA32_VMX_TRUE_EXIT_CTLS",       MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x490,       "IA32_VMX_TRUE_ENTRY_CTLS",      MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x491,       "IA32_VMX_VMFUNC",               MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.First, Sensitivity: MsrSensitivity.Host, Features: "vmx"),
        new(0x11,        "MSR_KVM_WALL_CLOCK",            MsrLayer.Hypervisor, MsrRule.PvArea, Save: MsrSaveOrder.AfterTime, Sensitivity: MsrSensitivity.Guest),
        new(0x12,        "MSR_KVM_SYSTEM_TIME",           MsrLayer.Hypervisor, MsrRule.PvClock, Save: MsrSaveOrder.AfterTime, Sensitivity: MsrSensitivity.Guest),
        new(0x4b564d00,  "MSR_KVM_WALL_CLOCK_NEW",        MsrLayer.Hypervisor, MsrRule.PvArea, Save: MsrSaveOrder.AfterTime, Sensitivity: MsrSensitivity.Guest, Features: "kvm_clocksource2"),
        new(0x4b564d01,  "MSR_KVM_SYSTEM_TIME_NEW",       MsrLayer.Hypervisor, MsrRule.PvClock, Save: MsrSaveOrder.AfterTime, Sensitivity: MsrSensitivity.Guest, Features: "kvm_clocksource2"),
        new(0x4b564d02,  "MSR_KVM_ASYNC_PF_EN",           MsrLayer.Hypervisor, MsrRule.AsyncFault, Save: MsrSaveOrder.Last, Sensitivity: MsrSensitivity.Guest, Features: "kvm_async_pf"),
        new(0x4b564d03,  "MSR_KVM_STEAL_TIME",            MsrLayer.Hypervisor, MsrRule.StealTime, Sensitivity: MsrSensitivity.Guest, Features: "kvm_steal_time"),
        new(0x4b564d04,  "MSR_KVM_PV_EOI_EN",             MsrLayer.Hypervisor, MsrRule.PvEoi, Sensitivity: MsrSensitivity.Guest, Features: "kvm_pv_eoi"),
        new(0x4b564d05,  "MSR_KVM_POLL_CONTROL",          MsrLayer.Hypervisor, MsrRule.Reserved, Reset: 0x1, Writable: 0x1, Features: "kvm_poll_control"),
        new(0x4b564d06,  "MSR_KVM_ASYNC_PF_INT",          MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0xff, Features: "kvm_async_pf_int"),
        new(0x4b564d07,  "MSR_KVM_ASYNC_PF_ACK",          MsrLayer.Hypervisor, MsrRule.Command, Writable: 0x1, Save: MsrSaveOrder.Never, Features: "kvm_async_pf_int"),
        new(0x4b564d08,  "MSR_KVM_MIGRATION_CONTROL",     MsrLayer.Hypervisor, MsrRule.Reserved, Writable: 0x1, Features: "kvm_migration_control"),
        new(0x40000000,  "HV_X64_MSR_GUEST_OS_ID",        MsrLayer.Hypervisor, MsrRule.Any),
        new(0x40000001,  "HV_X64_MSR_HYPERCALL",          MsrLayer.Hypervisor, MsrRule.Any, Sensitivity: MsrSensitivity.Guest),
        new(0x40000002,  "HV_X64_MSR_VP_INDEX",           MsrLayer.Hypervisor, MsrRule.ReadOnly),
        new(0x40000003,  "HV_X64_MSR_RESET",              MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x40000010,  "HV_X64_MSR_VP_RUNTIME",         MsrLayer.Hypervisor, MsrRule.ReadOnly, Sensitivity: MsrSensitivity.Time),
        new(0x40000020,  "HV_X64_MSR_TIME_REF_COUNT",     MsrLayer.Hypervisor, MsrRule.ReadOnly, Save: MsrSaveOrder.Never, Sensitivity: MsrSensitivity.Time),
        new(0x40000021,  "HV_X64_MSR_REFERENCE_TSC",      MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.AfterTime, Sensitivity: MsrSensitivity.Guest),
        new(0x40000022,  "HV_X64_MSR_TSC_FREQUENCY",      MsrLayer.Hypervisor, MsrRule.ReadOnly, Sensitivity: MsrSensitivity.Host),
        new(0x40000023,  "HV_X64_MSR_APIC_FREQUENCY",     MsrLayer.Hypervisor, MsrRule.ReadOnly, Sensitivity: MsrSensitivity.Host),
        new(0x40000070,  "HV_X64_MSR_EOI",                MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x40000071,  "HV_X64_MSR_ICR",                MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x40000072,  "HV_X64_MSR_TPR",                MsrLayer.Hypervisor, MsrRule.Any, Save: MsrSaveOrder.Never),
        new(0x40000073,  "HV_X64_MSR_VP_ASSIST_PAGE",     MsrLayer.Hypervisor, MsrRule.Any, Sensitivity: MsrSensitivity.Guest),
        new(0x40000080,  "HV_X64_MSR_SCONTROL",           MsrLayer.Hypervisor, MsrRule.Any),
        new(0x40000082,  "HV_X64_MSR_SIEFP",              MsrLayer.Hypervisor, MsrRule.Any, Sensitivity: MsrSensitivity.Guest),
        new(0x40000083,  "HV_X64_MSR_SIMP",               MsrLayer.Hypervisor, MsrRule.Any, Sensitivity: MsrSensitivity.Guest),
    ];
}
