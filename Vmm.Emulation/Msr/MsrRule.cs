// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>What a register accepts.</summary>
public enum MsrRule
{
    /// <summary>Any value.</summary>
    Any = 0,

    /// <summary>A value without bits outside the writable ones; others fault.</summary>
    Reserved,

    /// <summary>A canonical address; others fault.</summary>
    Canonical,

    /// <summary>Nothing: a write faults.</summary>
    ReadOnly,

    /// <summary>Anything, without effect.</summary>
    Ignored,

    /// <summary>Anything, without effect; a read is another layer's.</summary>
    WriteIgnored,

    /// <summary>A value that follows from the host; a write is another layer's.</summary>
    Constant,

    /// <summary>A command: writable bits act and are not kept; a read faults.</summary>
    Command,

    /// <summary>The chip's own rules.</summary>
    Chip,

    /// <summary>The time stamp counter: a write moves its offset.</summary>
    Tsc,

    /// <summary>IA32_TSC_ADJUST: a write moves the counter by the difference (Intel SDM volume 3, time-stamp counter adjustment).</summary>
    TscAdjust,

    /// <summary>Eight memory types, each 0, 1 or 4 to 7 (volume 3, IA32_PAT MSR).</summary>
    Pat,

    /// <summary>The base and type of a variable range (volume 3, variable-range MTRRs).</summary>
    MtrrBase,

    /// <summary>The mask of a variable range and whether it counts.</summary>
    MtrrMask,

    /// <summary>Eight types of a fixed range, each 0, 1 or 4 to 6.</summary>
    MtrrFixed,

    /// <summary>The default type and which ranges count.</summary>
    MtrrDefault,

    /// <summary>IA32_EFER (AMD APM volume 2, extended feature enable register).</summary>
    Efer,

    /// <summary>IA32_MISC_ENABLE: only the value that it has, but for the execute-disable bit; other writes are another layer's.</summary>
    MiscEnable,

    /// <summary>IA32_FEATURE_CONTROL: a write faults once bit 0 is set.</summary>
    FeatureControl,

    /// <summary>IA32_MCG_STATUS: any value of the writable bits; ignored without banks.</summary>
    MachineStatus,

    /// <summary>IA32_MCG_CTL: all zeros or all ones, where there are banks.</summary>
    MachineControl,

    /// <summary>A bank's control: all zeros or all ones (AMD's and Intel's processors differ in single bits).</summary>
    BankControl,

    /// <summary>A bank's status, address or miscellaneous register: a guest may only clear it.</summary>
    BankZero,

    /// <summary>Components of the processor's extended state that XCR0 can enable.</summary>
    State,

    /// <summary>IA32_XSS: components that CPUID's leaf 0xD.1 lists.</summary>
    Supervisor,

    /// <summary>Control-flow enforcement: reserved bits 6 to 9, and a canonical address above bit 12.</summary>
    Cet,

    /// <summary>An area in guest memory, at a multiple of four.</summary>
    PvArea,

    /// <summary>An area at a multiple of four, and bit 0 enables it.</summary>
    PvClock,

    /// <summary>An area at a multiple of 64; bits 4 and 5 are reserved.</summary>
    AsyncFault,

    /// <summary>An area at a multiple of 64; bits 1 to 5 are reserved.</summary>
    StealTime,

    /// <summary>An area at a multiple of four; bit 1 is reserved.</summary>
    PvEoi,
}
