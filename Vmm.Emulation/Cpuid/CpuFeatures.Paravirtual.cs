// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <content>KVM's features (leaf 0x40000001; the names are this project's, after the kernel's documentation of KVM's CPUID).</content>
public static partial class CpuFeatures
{
    private static CpuFeature[] Paravirtual() =>
    [
        new("kvm_clocksource",               0x40000001, 0, CpuidRegister.Eax,  0, Msr: 0x11, IsShownByLinux: false),
        new("kvm_nop_io_delay",              0x40000001, 0, CpuidRegister.Eax,  1, IsShownByLinux: false),
        new("kvm_mmu_op",                    0x40000001, 0, CpuidRegister.Eax,  2, IsShownByLinux: false),
        new("kvm_clocksource2",              0x40000001, 0, CpuidRegister.Eax,  3, Msr: 0x4b564d00, IsShownByLinux: false),
        new("kvm_async_pf",                  0x40000001, 0, CpuidRegister.Eax,  4, Msr: 0x4b564d02, IsShownByLinux: false),
        new("kvm_steal_time",                0x40000001, 0, CpuidRegister.Eax,  5, Msr: 0x4b564d03, IsShownByLinux: false),
        new("kvm_pv_eoi",                    0x40000001, 0, CpuidRegister.Eax,  6, Msr: 0x4b564d04, IsShownByLinux: false),
        new("kvm_pv_unhalt",                 0x40000001, 0, CpuidRegister.Eax,  7, IsShownByLinux: false),
        new("kvm_pv_tlb_flush",              0x40000001, 0, CpuidRegister.Eax,  9, IsShownByLinux: false),
        new("kvm_async_pf_vmexit",           0x40000001, 0, CpuidRegister.Eax, 10, IsShownByLinux: false),
        new("kvm_pv_send_ipi",               0x40000001, 0, CpuidRegister.Eax, 11, IsShownByLinux: false),
        new("kvm_poll_control",              0x40000001, 0, CpuidRegister.Eax, 12, Msr: 0x4b564d05, IsShownByLinux: false),
        new("kvm_pv_sched_yield",            0x40000001, 0, CpuidRegister.Eax, 13, IsShownByLinux: false),
        new("kvm_async_pf_int",              0x40000001, 0, CpuidRegister.Eax, 14, Msr: 0x4b564d06, IsShownByLinux: false),
        new("kvm_msi_ext_dest_id",           0x40000001, 0, CpuidRegister.Eax, 15, IsShownByLinux: false),
        new("kvm_hc_map_gpa_range",          0x40000001, 0, CpuidRegister.Eax, 16, IsShownByLinux: false),
        new("kvm_migration_control",         0x40000001, 0, CpuidRegister.Eax, 17, Msr: 0x4b564d08, IsShownByLinux: false),
        new("kvm_clocksource_stable",        0x40000001, 0, CpuidRegister.Eax, 24, IsShownByLinux: false),
    ];
}
