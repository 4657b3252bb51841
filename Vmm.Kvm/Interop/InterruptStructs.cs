// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_irq_level</c>. An interrupt line and its level; the status form returns through the same word.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct KvmIrqLevel
{
    [FieldOffset(0)]
    public uint Irq;

    [FieldOffset(0)]
    public int Status;

    [FieldOffset(4)]
    public uint Level;
}

/// <summary><c>kvm_pic_state</c>. The state of one 8259A.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPicState
{
    public byte LastIrr;
    public byte Irr;
    public byte Imr;
    public byte Isr;
    public byte PriorityAdd;
    public byte IrqBase;
    public byte ReadRegSelect;
    public byte Poll;
    public byte SpecialMask;
    public byte InitState;
    public byte AutoEoi;
    public byte RotateOnAutoEoi;
    public byte SpecialFullyNestedMode;
    public byte Init4;
    public byte Elcr;
    public byte ElcrMask;
}

/// <summary><c>kvm_ioapic_state</c>. The state of the I/O APIC; a redirection entry is its architectural 64-bit value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIoapicState
{
    public ulong BaseAddress;
    public uint Ioregsel;
    public uint Id;
    public uint Irr;
    public uint Pad;
    public InlineBuffer24<ulong> Redirtbl;
}

/// <summary><c>kvm_irqchip</c>. The state of one interrupt controller inside KVM.</summary>
[StructLayout(LayoutKind.Explicit, Size = 520)]
internal struct KvmIrqchip
{
    [FieldOffset(0)]
    public uint ChipId;

    [FieldOffset(4)]
    public uint Pad;

    [FieldOffset(8)]
    public KvmPicState Pic;

    [FieldOffset(8)]
    public KvmIoapicState Ioapic;

    [FieldOffset(8)]
    public InlineBuffer512<byte> Dummy;
}

/// <summary><c>kvm_lapic_state</c>. The register page of a local APIC, each register at its architectural offset.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmLapicState
{
    public InlineBuffer1024<byte> Regs;
}

/// <summary><c>kvm_pit_config</c>. How the PIT inside KVM is created.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPitConfig
{
    public uint Flags;
    public InlineBuffer15<uint> Pad;
}

/// <summary><c>kvm_pit_channel_state</c>. One counter of the PIT.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPitChannelState
{
    public uint Count;
    public ushort LatchedCount;
    public byte CountLatched;
    public byte StatusLatched;
    public byte Status;
    public byte ReadState;
    public byte WriteState;
    public byte WriteLatch;
    public byte RwMode;
    public byte Mode;
    public byte Bcd;
    public byte Gate;
    public long CountLoadTime;
}

/// <summary><c>kvm_pit_state2</c>. The three counters of the PIT and its flags.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPitState2
{
    public InlineBuffer3<KvmPitChannelState> Channels;
    public uint Flags;
    public InlineBuffer9<uint> Reserved;
}

/// <summary><c>kvm_reinject_control</c>. Whether ticks that the guest missed are injected again.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmReinjectControl
{
    public byte PitReinject;
    public InlineBuffer31<byte> Reserved;
}

/// <summary><c>kvm_irq_routing_irqchip</c>. A route to a pin of an interrupt controller.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqRoutingIrqchip
{
    public uint Irqchip;
    public uint Pin;
}

/// <summary><c>kvm_irq_routing_msi</c>. A route to a message-signalled interrupt.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqRoutingMsi
{
    public uint AddressLo;
    public uint AddressHi;
    public uint Data;
    public uint Devid;
}

/// <summary><c>kvm_irq_routing_hv_sint</c>. A route to a Hyper-V synthetic interrupt source.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqRoutingHvSint
{
    public uint Vcpu;
    public uint Sint;
}

/// <summary><c>kvm_irq_routing_xen_evtchn</c>. A route to a Xen event channel.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqRoutingXenEvtchn
{
    public uint Port;
    public uint Vcpu;
    public uint Priority;
}

/// <summary><c>kvm_irq_routing_entry</c>. One route of a GSI.</summary>
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct KvmIrqRoutingEntry
{
    [FieldOffset(0)]
    public uint Gsi;

    [FieldOffset(4)]
    public uint Type;

    [FieldOffset(8)]
    public uint Flags;

    [FieldOffset(12)]
    public uint Pad;

    [FieldOffset(16)]
    public KvmIrqRoutingIrqchip Irqchip;

    [FieldOffset(16)]
    public KvmIrqRoutingMsi Msi;

    [FieldOffset(16)]
    public KvmIrqRoutingHvSint HvSint;

    [FieldOffset(16)]
    public KvmIrqRoutingXenEvtchn XenEvtchn;

    [FieldOffset(16)]
    public InlineBuffer8<uint> UnionPad;
}

/// <summary><c>kvm_irq_routing</c>. The count in front of an array of kvm_irq_routing_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqRouting
{
    public uint Nr;
    public uint Flags;
}

/// <summary><c>kvm_irqfd</c>. Binds an eventfd to a GSI.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqfd
{
    public uint Fd;
    public uint Gsi;
    public uint Flags;
    public uint Resamplefd;
    public InlineBuffer16<byte> Pad;
}

/// <summary><c>kvm_ioeventfd</c>. Binds an eventfd to writes of an address or a port.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIoeventfd
{
    public ulong Datamatch;
    public ulong Addr;
    public uint Len;
    public int Fd;
    public uint Flags;
    public InlineBuffer36<byte> Pad;
}

/// <summary><c>kvm_msi</c>. A message-signalled interrupt to deliver now.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsi
{
    public uint AddressLo;
    public uint AddressHi;
    public uint Data;
    public uint Flags;
    public uint Devid;
    public InlineBuffer12<byte> Pad;
}

/// <summary><c>kvm_hyperv_eventfd</c>. Binds an eventfd to a Hyper-V connection.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmHypervEventfd
{
    public uint ConnId;
    public int Fd;
    public uint Flags;
    public InlineBuffer3<uint> Padding;
}
