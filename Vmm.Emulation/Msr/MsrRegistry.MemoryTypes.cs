// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <content>Memory type range registers (Intel SDM volume 3, memory type range registers).</content>
public static partial class MsrRegistry
{
    private static MsrDescription[] MemoryTypes() =>
    [
        new(0xfe,        "IA32_MTRRCAP",                  MsrLayer.Ours, MsrRule.ReadOnly, Reset: 0x50a, Features: "mtrr"),
        new(0x200,       "IA32_MTRR_PHYSBASE0",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x201,       "IA32_MTRR_PHYSMASK0",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x202,       "IA32_MTRR_PHYSBASE1",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x203,       "IA32_MTRR_PHYSMASK1",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x204,       "IA32_MTRR_PHYSBASE2",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x205,       "IA32_MTRR_PHYSMASK2",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x206,       "IA32_MTRR_PHYSBASE3",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x207,       "IA32_MTRR_PHYSMASK3",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x208,       "IA32_MTRR_PHYSBASE4",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x209,       "IA32_MTRR_PHYSMASK4",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x20a,       "IA32_MTRR_PHYSBASE5",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x20b,       "IA32_MTRR_PHYSMASK5",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x20c,       "IA32_MTRR_PHYSBASE6",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x20d,       "IA32_MTRR_PHYSMASK6",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x20e,       "IA32_MTRR_PHYSBASE7",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x20f,       "IA32_MTRR_PHYSMASK7",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x210,       "IA32_MTRR_PHYSBASE8",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x211,       "IA32_MTRR_PHYSMASK8",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x212,       "IA32_MTRR_PHYSBASE9",           MsrLayer.Ours, MsrRule.MtrrBase, Writable: 0xffffffffff0ff, Features: "mtrr"),
        new(0x213,       "IA32_MTRR_PHYSMASK9",           MsrLayer.Ours, MsrRule.MtrrMask, Writable: 0xffffffffff800, Features: "mtrr"),
        new(0x250,       "IA32_MTRR_FIX64K_00000",        MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x258,       "IA32_MTRR_FIX16K_80000",        MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x259,       "IA32_MTRR_FIX16K_A0000",        MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x268,       "IA32_MTRR_FIX4K_C0000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x269,       "IA32_MTRR_FIX4K_C8000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26a,       "IA32_MTRR_FIX4K_D0000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26b,       "IA32_MTRR_FIX4K_D8000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26c,       "IA32_MTRR_FIX4K_E0000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26d,       "IA32_MTRR_FIX4K_E8000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26e,       "IA32_MTRR_FIX4K_F0000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x26f,       "IA32_MTRR_FIX4K_F8000",         MsrLayer.Ours, MsrRule.MtrrFixed, Features: "mtrr"),
        new(0x2ff,       "IA32_MTRR_DEF_TYPE",            MsrLayer.Ours, MsrRule.MtrrDefault, Writable: 0xcff, Save: MsrSaveOrder.Last, Features: "mtrr"),
    ];
}
