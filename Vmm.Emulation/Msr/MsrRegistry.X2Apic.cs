// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <content>The local APIC's registers in x2APIC mode (Intel SDM volume 3, x2APIC register address space). Its state travels with the chip.</content>
public static partial class MsrRegistry
{
    private static MsrDescription[] X2Apic() =>
    [
        new(0x802,       "IA32_X2APIC_APICID",            MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x803,       "IA32_X2APIC_VERSION",           MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x808,       "IA32_X2APIC_TPR",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x80a,       "IA32_X2APIC_PPR",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x80b,       "IA32_X2APIC_EOI",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x80d,       "IA32_X2APIC_LDR",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x80f,       "IA32_X2APIC_SIVR",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x810,       "IA32_X2APIC_ISR0",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x811,       "IA32_X2APIC_ISR1",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x812,       "IA32_X2APIC_ISR2",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x813,       "IA32_X2APIC_ISR3",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x814,       "IA32_X2APIC_ISR4",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x815,       "IA32_X2APIC_ISR5",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x816,       "IA32_X2APIC_ISR6",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x817,       "IA32_X2APIC_ISR7",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x818,       "IA32_X2APIC_TMR0",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x819,       "IA32_X2APIC_TMR1",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81a,       "IA32_X2APIC_TMR2",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81b,       "IA32_X2APIC_TMR3",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81c,       "IA32_X2APIC_TMR4",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81d,       "IA32_X2APIC_TMR5",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81e,       "IA32_X2APIC_TMR6",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x81f,       "IA32_X2APIC_TMR7",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x820,       "IA32_X2APIC_IRR0",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x821,       "IA32_X2APIC_IRR1",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x822,       "IA32_X2APIC_IRR2",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x823,       "IA32_X2APIC_IRR3",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x824,       "IA32_X2APIC_IRR4",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x825,       "IA32_X2APIC_IRR5",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x826,       "IA32_X2APIC_IRR6",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x827,       "IA32_X2APIC_IRR7",              MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x828,       "IA32_X2APIC_ESR",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x82f,       "IA32_X2APIC_LVT_CMCI",          MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x830,       "IA32_X2APIC_ICR",               MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x832,       "IA32_X2APIC_LVT_TIMER",         MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x833,       "IA32_X2APIC_LVT_THERMAL",       MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x834,       "IA32_X2APIC_LVT_PMI",           MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x835,       "IA32_X2APIC_LVT_LINT0",         MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x836,       "IA32_X2APIC_LVT_LINT1",         MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x837,       "IA32_X2APIC_LVT_ERROR",         MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x838,       "IA32_X2APIC_INIT_COUNT",        MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x839,       "IA32_X2APIC_CUR_COUNT",         MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x83e,       "IA32_X2APIC_DIV_CONF",          MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
        new(0x83f,       "IA32_X2APIC_SELF_IPI",          MsrLayer.Chip, MsrRule.Chip, Save: MsrSaveOrder.Never, Features: "x2apic"),
    ];
}
