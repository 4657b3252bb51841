// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <content>Extended state, resource control, SGX, processor trace, key locker, AVX10 (leaves 0xD to 0x24; Intel SDM volume 2, CPUID).</content>
public static partial class CpuFeatures
{
    private static CpuFeature[] State() =>
    [
        new("xsaveopt",                      0xd,        1, CpuidRegister.Eax,  0, Needs: "xsave"),
        new("xsavec",                        0xd,        1, CpuidRegister.Eax,  1, Needs: "xsave"),
        new("xgetbv1",                       0xd,        1, CpuidRegister.Eax,  2, Needs: "xsave"),
        new("xsaves",                        0xd,        1, CpuidRegister.Eax,  3, Needs: "xsavec", Msr: 0xda0),
        new("xfd",                           0xd,        1, CpuidRegister.Eax,  4, Needs: "xsaves", Msr: 0x1c4, IsShownByLinux: false),

        new("cqm_llc",                       0xf,        0, CpuidRegister.Edx,  1, Needs: "cqm"),

        new("cqm_occup_llc",                 0xf,        1, CpuidRegister.Edx,  0, Needs: "cqm_llc"),
        new("cqm_mbm_total",                 0xf,        1, CpuidRegister.Edx,  1, Needs: "cqm_llc"),
        new("cqm_mbm_local",                 0xf,        1, CpuidRegister.Edx,  2, Needs: "cqm_llc"),

        new("cat_l3",                        0x10,       0, CpuidRegister.Ebx,  1, Needs: "rdt_a"),
        new("cat_l2",                        0x10,       0, CpuidRegister.Ebx,  2, Needs: "rdt_a"),
        new("mba",                           0x10,       0, CpuidRegister.Ebx,  3, Needs: "rdt_a"),

        new("cdp_l3",                        0x10,       1, CpuidRegister.Ecx,  2, Needs: "cat_l3"),

        new("cdp_l2",                        0x10,       2, CpuidRegister.Ecx,  2, Needs: "cat_l2"),

        new("sgx1",                          0x12,       0, CpuidRegister.Eax,  0, Needs: "sgx", IsShownByLinux: false),
        new("sgx2",                          0x12,       0, CpuidRegister.Eax,  1, Needs: "sgx1", IsShownByLinux: false),
        new("sgx_enclv",                     0x12,       0, CpuidRegister.Eax,  5, Needs: "sgx", IsShownByLinux: false),
        new("sgx_encls_etrack",              0x12,       0, CpuidRegister.Eax,  6, Needs: "sgx", IsShownByLinux: false),
        new("sgx_edeccssa",                  0x12,       0, CpuidRegister.Eax, 11, Needs: "sgx1", IsShownByLinux: false),

        new("pt_cr3_filter",                 0x14,       0, CpuidRegister.Ebx,  0, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_psb_cyc",                    0x14,       0, CpuidRegister.Ebx,  1, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_ip_filter",                  0x14,       0, CpuidRegister.Ebx,  2, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_mtc",                        0x14,       0, CpuidRegister.Ebx,  3, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_ptwrite",                    0x14,       0, CpuidRegister.Ebx,  4, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_power_event",                0x14,       0, CpuidRegister.Ebx,  5, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_psb_pmi",                    0x14,       0, CpuidRegister.Ebx,  6, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_event_trace",                0x14,       0, CpuidRegister.Ebx,  7, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_tnt_disable",                0x14,       0, CpuidRegister.Ebx,  8, Needs: "intel_pt", IsShownByLinux: false),

        new("pt_topa",                       0x14,       0, CpuidRegister.Ecx,  0, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_topa_multiple",              0x14,       0, CpuidRegister.Ecx,  1, Needs: "pt_topa", IsShownByLinux: false),
        new("pt_single_range",               0x14,       0, CpuidRegister.Ecx,  2, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_transport",                  0x14,       0, CpuidRegister.Ecx,  3, Needs: "intel_pt", IsShownByLinux: false),
        new("pt_lip",                        0x14,       0, CpuidRegister.Ecx, 31, Needs: "intel_pt", IsShownByLinux: false),

        new("kl_cpl0_only",                  0x19,       0, CpuidRegister.Eax,  0, IsShownByLinux: false),
        new("kl_no_encrypt",                 0x19,       0, CpuidRegister.Eax,  1, IsShownByLinux: false),
        new("kl_no_decrypt",                 0x19,       0, CpuidRegister.Eax,  2, IsShownByLinux: false),

        new("aeskle",                        0x19,       0, CpuidRegister.Ebx,  0, Needs: "key_locker", IsShownByLinux: false),
        new("aes_wide_kl",                   0x19,       0, CpuidRegister.Ebx,  2, Needs: "aeskle", IsShownByLinux: false),
        new("kl_msrs",                       0x19,       0, CpuidRegister.Ebx,  4, Msr: 0xd91, IsShownByLinux: false),

        new("kl_no_backup",                  0x19,       0, CpuidRegister.Ecx,  0, IsShownByLinux: false),
        new("kl_random_key",                 0x19,       0, CpuidRegister.Ecx,  1, IsShownByLinux: false),

        new("avx10_128",                     0x24,       0, CpuidRegister.Ebx, 16, Needs: "avx10", IsShownByLinux: false),
        new("avx10_256",                     0x24,       0, CpuidRegister.Ebx, 17, Needs: "avx10", IsShownByLinux: false),
        new("avx10_512",                     0x24,       0, CpuidRegister.Ebx, 18, Needs: "avx10", IsShownByLinux: false),
    ];
}
