// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Flags of a memory slot.</summary>
[Flags]
internal enum KvmMemoryRegionFlags : uint
{
    None = 0,

    /// <summary><c>KVM_MEM_LOG_DIRTY_PAGES</c>.</summary>
    LogDirtyPages = 0x1,

    /// <summary><c>KVM_MEM_READONLY</c>.</summary>
    Readonly = 0x2,

    /// <summary><c>KVM_MEM_GUEST_MEMFD</c>.</summary>
    GuestMemfd = 0x4,
}

/// <summary>Attributes of guest-physical pages.</summary>
[Flags]
internal enum KvmMemoryAttribute : ulong
{
    None = 0,

    /// <summary><c>KVM_MEMORY_ATTRIBUTE_PRIVATE</c>.</summary>
    Private = 0x8,
}

/// <summary>Flags of KVM_EXIT_MEMORY_FAULT.</summary>
[Flags]
internal enum KvmMemoryExitFlags : ulong
{
    None = 0,

    /// <summary><c>KVM_MEMORY_EXIT_FLAG_PRIVATE</c>.</summary>
    Private = 0x8,
}

/// <summary>Flags of KVM_CREATE_GUEST_MEMFD.</summary>
[Flags]
internal enum KvmGuestMemfdFlags : ulong
{
    None = 0,

    /// <summary><c>GUEST_MEMFD_FLAG_MMAP</c>.</summary>
    Mmap = 0x1,

    /// <summary><c>GUEST_MEMFD_FLAG_INIT_SHARED</c>.</summary>
    InitShared = 0x2,
}

/// <summary>Arguments of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2.</summary>
[Flags]
internal enum KvmDirtyLogFlags : uint
{
    None = 0,

    /// <summary><c>KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE</c>.</summary>
    ManualProtectEnable = 0x1,

    /// <summary><c>KVM_DIRTY_LOG_INITIALLY_SET</c>.</summary>
    InitiallySet = 0x2,
}

/// <summary>State of an entry of the dirty ring.</summary>
[Flags]
internal enum KvmDirtyGfnFlags : uint
{
    None = 0,

    /// <summary><c>KVM_DIRTY_GFN_F_DIRTY</c>.</summary>
    Dirty = 0x1,

    /// <summary><c>KVM_DIRTY_GFN_F_RESET</c>.</summary>
    Reset = 0x2,
}
