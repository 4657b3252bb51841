// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>The interrupt controllers inside KVM.</summary>
internal enum KvmIrqchipId : uint
{
    /// <summary><c>KVM_IRQCHIP_PIC_MASTER</c>.</summary>
    PicMaster = 0,

    /// <summary><c>KVM_IRQCHIP_PIC_SLAVE</c>.</summary>
    PicSlave = 1,

    /// <summary><c>KVM_IRQCHIP_IOAPIC</c>.</summary>
    Ioapic = 2,
}

/// <summary>Where a GSI leads.</summary>
internal enum KvmIrqRoutingType : uint
{
    /// <summary><c>KVM_IRQ_ROUTING_IRQCHIP</c>.</summary>
    Irqchip = 1,

    /// <summary><c>KVM_IRQ_ROUTING_MSI</c>.</summary>
    Msi = 2,

    /// <summary><c>KVM_IRQ_ROUTING_HV_SINT</c>.</summary>
    HvSint = 4,

    /// <summary><c>KVM_IRQ_ROUTING_XEN_EVTCHN</c>.</summary>
    XenEvtchn = 5,
}

/// <summary>Flags of KVM_IRQFD.</summary>
[Flags]
internal enum KvmIrqfdFlags : uint
{
    None = 0,

    /// <summary><c>KVM_IRQFD_FLAG_DEASSIGN</c>.</summary>
    Deassign = 0x1,

    /// <summary><c>KVM_IRQFD_FLAG_RESAMPLE</c>.</summary>
    Resample = 0x2,
}

/// <summary>Flags of KVM_IOEVENTFD.</summary>
[Flags]
internal enum KvmIoeventfdFlags : uint
{
    None = 0,

    /// <summary><c>KVM_IOEVENTFD_FLAG_DATAMATCH</c>.</summary>
    Datamatch = 0x1,

    /// <summary><c>KVM_IOEVENTFD_FLAG_PIO</c>.</summary>
    Pio = 0x2,

    /// <summary><c>KVM_IOEVENTFD_FLAG_DEASSIGN</c>.</summary>
    Deassign = 0x4,
}

/// <summary>Flags of KVM_SIGNAL_MSI and of an MSI route.</summary>
[Flags]
internal enum KvmMsiFlags : uint
{
    None = 0,

    /// <summary><c>KVM_MSI_VALID_DEVID</c>.</summary>
    ValidDevid = 0x1,
}

/// <summary>Flags of KVM_CREATE_PIT2.</summary>
[Flags]
internal enum KvmPitConfigFlags : uint
{
    None = 0,

    /// <summary><c>KVM_PIT_SPEAKER_DUMMY</c>.</summary>
    SpeakerDummy = 0x1,
}

/// <summary>Flags of the PIT's state.</summary>
[Flags]
internal enum KvmPitStateFlags : uint
{
    None = 0,

    /// <summary><c>KVM_PIT_FLAGS_HPET_LEGACY</c>.</summary>
    HpetLegacy = 0x1,

    /// <summary><c>KVM_PIT_FLAGS_SPEAKER_DATA_ON</c>.</summary>
    SpeakerDataOn = 0x2,
}

/// <summary>Arguments of KVM_CAP_X2APIC_API.</summary>
[Flags]
internal enum KvmX2ApicApiFlags : ulong
{
    None = 0,

    /// <summary><c>KVM_X2APIC_API_USE_32BIT_IDS</c>.</summary>
    Use32bitIds = 0x1,

    /// <summary><c>KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK</c>.</summary>
    DisableBroadcastQuirk = 0x2,
}

/// <summary>Flags of KVM_HYPERV_EVENTFD.</summary>
[Flags]
internal enum KvmHypervEventfdFlags : uint
{
    None = 0,

    /// <summary><c>KVM_HYPERV_EVENTFD_DEASSIGN</c>.</summary>
    Deassign = 0x1,
}
