// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>Fields of a local APIC's registers (SDM volume 3, chapter "Advanced Programmable Interrupt Controller").</summary>
internal static class ApicBits
{
    /// <summary>Vectors below belong to exceptions and are illegal in every interrupt.</summary>
    public const byte FirstLegalVector = 16;

    /// <summary>The priority class of a vector, of TPR and of PPR.</summary>
    public const int PriorityClass = 0xf0;

    public const ulong BaseBootstrap = 1 << 8;
    public const ulong BaseX2Apic = 1 << 10;
    public const ulong BaseEnable = 1 << 11;
    public const ulong BaseFlags = 0xfff;
    public const ulong DefaultBase = 0xfee00000;

    public const uint SpuriousEnable = 1 << 8;
    public const uint SpuriousSuppressBroadcast = 1 << 12;
    public const uint SpuriousMask = 0x3ff;

    public const uint LvtMasked = 1 << 16;
    public const uint LvtVector = 0xff;
    public const uint LvtDeliveryStatus = 1 << 12;
    public const int LvtDeliveryModeShift = 8;
    public const uint LvtDeliveryMode = 7 << LvtDeliveryModeShift;
    public const uint LvtPolarity = 1 << 13;
    public const uint LvtRemoteIrr = 1 << 14;
    public const uint LvtLevel = 1 << 15;
    public const int LvtTimerModeShift = 17;
    public const uint LvtTimerPeriodic = 1 << LvtTimerModeShift;
    public const uint LvtTimerDeadline = 1 << (LvtTimerModeShift + 1);
    public const uint LvtTimerModes = LvtTimerPeriodic | LvtTimerDeadline;

    public const uint ErrorSendIllegal = 1 << 5;
    public const uint ErrorReceiveIllegal = 1 << 6;
    public const uint ErrorIllegalRegister = 1 << 7;

    /// <summary>Every error that some local APIC reports; bit 4 never became one.</summary>
    public const uint ErrorMask = 0xef;

    /// <summary>Version 0x14, seven local vectors.</summary>
    public const uint Version = 0x00060014;
    public const uint VersionSuppressBroadcast = 1 << 24;

    public const uint CommandBusy = 1 << 12;
    public const uint CommandLogical = 1 << 11;
    public const uint CommandAssert = 1 << 14;
    public const uint CommandLevel = 1 << 15;
    public const uint DestinationHighByte = 0xff000000;
    public const uint DestinationFormatFixed = 0x0fffffff;

    /// <summary>Bits of the 64-bit ICR of x2APIC mode that are reserved; delivery status no longer exists but is tolerated.</summary>
    public const ulong CommandReserved = 0xfff32000;

    public const uint DivideMask = 0xb;
}
