// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_enable_cap</c>. A capability to switch on, with its arguments.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmEnableCap
{
    public uint Cap;
    public uint Flags;
    public InlineBuffer4<ulong> Args;
    public InlineBuffer64<byte> Pad;
}

/// <summary><c>kvm_clock_data</c>. The paravirtual clock of a VM, in nanoseconds, with the host times it was read at.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmClockData
{
    public ulong Clock;
    public uint Flags;
    public uint Pad0;
    public ulong Realtime;
    public ulong HostTsc;
    public InlineBuffer4<uint> Pad;
}

/// <summary><c>kvm_create_device</c>. The kind of device to create inside KVM, and its descriptor.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCreateDevice
{
    public uint Type;
    public uint Fd;
    public uint Flags;
}

/// <summary><c>kvm_device_attr</c>. One attribute of a device, and the address of its value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDeviceAttr
{
    public uint Flags;
    public uint Group;
    public ulong Attr;
    public ulong Addr;
}

/// <summary><c>kvm_stats_header</c>. The head of a binary statistics descriptor.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmStatsHeader
{
    public uint Flags;
    public uint NameSize;
    public uint NumDesc;
    public uint IdOffset;
    public uint DescOffset;
    public uint DataOffset;
}

/// <summary><c>kvm_stats_desc</c>. The fixed part of one statistic's description; its name follows it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmStatsDesc
{
    public uint Flags;
    public short Exponent;
    public ushort Size;
    public uint Offset;
    public uint BucketSize;
}

/// <summary><c>kvm_xen_hvm_config</c>. How the VM answers a Xen guest.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenHvmConfig
{
    public uint Flags;
    public uint Msr;
    public ulong BlobAddr32;
    public ulong BlobAddr64;
    public byte BlobSize32;
    public byte BlobSize64;
    public InlineBuffer30<byte> Pad2;
}

/// <summary><c>kvm_xen_hvm_attr.u.evtchn.deliver.port</c>. Delivery of a Xen event to a port of the guest.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenHvmAttrEvtchnPort
{
    public uint Port;
    public uint Vcpu;
    public uint Priority;
}

/// <summary><c>kvm_xen_hvm_attr.u.evtchn.deliver.eventfd</c>. Delivery of a Xen event to an eventfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenHvmAttrEvtchnEventfd
{
    public uint Port;
    public int Fd;
}

/// <summary><c>kvm_xen_hvm_attr.u.evtchn</c>. How one Xen event channel is delivered.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
internal struct KvmXenHvmAttrEvtchn
{
    [FieldOffset(0)]
    public uint SendPort;

    [FieldOffset(4)]
    public uint Type;

    [FieldOffset(8)]
    public uint Flags;

    [FieldOffset(12)]
    public KvmXenHvmAttrEvtchnPort Port;

    [FieldOffset(12)]
    public KvmXenHvmAttrEvtchnEventfd Eventfd;

    [FieldOffset(12)]
    public InlineBuffer4<uint> Padding;
}

/// <summary><c>kvm_xen_hvm_attr</c>. One Xen attribute of a VM.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct KvmXenHvmAttr
{
    [FieldOffset(0)]
    public ushort Type;

    [FieldOffset(2)]
    public InlineBuffer3<ushort> Pad;

    [FieldOffset(8)]
    public byte LongMode;

    [FieldOffset(8)]
    public byte Vector;

    [FieldOffset(8)]
    public byte RunstateUpdateFlag;

    [FieldOffset(8)]
    public ulong SharedInfoGfn;

    [FieldOffset(8)]
    public ulong SharedInfoHva;

    [FieldOffset(8)]
    public KvmXenHvmAttrEvtchn Evtchn;

    [FieldOffset(8)]
    public uint XenVersion;

    [FieldOffset(8)]
    public InlineBuffer8<ulong> UnionPad;
}

/// <summary><c>kvm_xen_vcpu_attr.u.runstate</c>. The run-state times of a Xen vCPU, in nanoseconds.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenVcpuAttrRunstate
{
    public ulong State;
    public ulong StateEntryTime;
    public ulong TimeRunning;
    public ulong TimeRunnable;
    public ulong TimeBlocked;
    public ulong TimeOffline;
}

/// <summary><c>kvm_xen_vcpu_attr.u.timer</c>. The one-shot timer of a Xen vCPU.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenVcpuAttrTimer
{
    public uint Port;
    public uint Priority;
    public ulong ExpiresNs;
}

/// <summary><c>kvm_xen_vcpu_attr</c>. One Xen attribute of a vCPU.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct KvmXenVcpuAttr
{
    [FieldOffset(0)]
    public ushort Type;

    [FieldOffset(2)]
    public InlineBuffer3<ushort> Pad;

    [FieldOffset(8)]
    public ulong Gpa;

    [FieldOffset(8)]
    public ulong Hva;

    [FieldOffset(8)]
    public InlineBuffer8<ulong> UnionPad;

    [FieldOffset(8)]
    public KvmXenVcpuAttrRunstate Runstate;

    [FieldOffset(8)]
    public uint VcpuId;

    [FieldOffset(8)]
    public KvmXenVcpuAttrTimer Timer;

    [FieldOffset(8)]
    public byte Vector;
}
