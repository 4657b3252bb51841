// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_userspace_memory_region</c>. A memory slot: guest-physical range, host address and flags.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmUserspaceMemoryRegion
{
    public uint Slot;
    public uint Flags;
    public ulong GuestPhysAddr;
    public ulong MemorySize;
    public ulong UserspaceAddr;
}

/// <summary><c>kvm_userspace_memory_region2</c>. A memory slot that may also name a guest_memfd for its private pages.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmUserspaceMemoryRegion2
{
    public uint Slot;
    public uint Flags;
    public ulong GuestPhysAddr;
    public ulong MemorySize;
    public ulong UserspaceAddr;
    public ulong GuestMemfdOffset;
    public uint GuestMemfd;
    public uint Pad1;
    public InlineBuffer14<ulong> Pad2;
}

/// <summary><c>kvm_dirty_log</c>. A slot and the address of the bitmap (one bit per page) that receives its dirty log.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDirtyLog
{
    public uint Slot;
    public uint Padding1;
    public ulong DirtyBitmap;
}

/// <summary><c>kvm_clear_dirty_log</c>. A page range of a slot and the address of the bitmap whose set bits name the pages to protect again.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmClearDirtyLog
{
    public uint Slot;
    public uint NumPages;
    public ulong FirstPage;
    public ulong DirtyBitmap;
}

/// <summary><c>kvm_dirty_gfn</c>. One entry of a vCPU's dirty ring.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDirtyGfn
{
    public uint Flags;
    public uint Slot;
    public ulong Offset;
}

/// <summary><c>kvm_coalesced_mmio_zone</c>. A range whose writes KVM may batch.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCoalescedMmioZone
{
    public ulong Addr;
    public uint Size;
    public uint Pio;
}

/// <summary><c>kvm_coalesced_mmio</c>. One batched write.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCoalescedMmio
{
    public ulong PhysAddr;
    public uint Len;
    public uint Pio;
    public InlineBuffer8<byte> Data;
}

/// <summary><c>kvm_coalesced_mmio_ring</c>. The indices in front of the ring of batched writes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCoalescedMmioRing
{
    public uint First;
    public uint Last;
}

/// <summary><c>kvm_memory_attributes</c>. A guest-physical range and the attributes it is to have.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMemoryAttributes
{
    public ulong Address;
    public ulong Size;
    public ulong Attributes;
    public ulong Flags;
}

/// <summary><c>kvm_create_guest_memfd</c>. Size and flags of a new guest_memfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCreateGuestMemfd
{
    public ulong Size;
    public ulong Flags;
    public InlineBuffer6<ulong> Reserved;
}

/// <summary><c>kvm_pre_fault_memory</c>. A guest-physical range to populate; KVM advances it past what is done.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPreFaultMemory
{
    public ulong Gpa;
    public ulong Size;
    public ulong Flags;
    public InlineBuffer5<ulong> Padding;
}
