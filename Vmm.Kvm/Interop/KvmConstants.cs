// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Numbers of the header that are neither a flag nor a request.</summary>
internal static class KvmConstants
{
    /// <summary><c>KVM_API_VERSION</c>.</summary>
    public const int ApiVersion = 12;

    /// <summary><c>KVM_VCPU_TSC_CTRL</c>.</summary>
    public const int VcpuTscCtrl = 0;

    /// <summary><c>KVM_VCPU_TSC_OFFSET</c>.</summary>
    public const int VcpuTscOffset = 0;

    /// <summary><c>KVM_PIO_PAGE_OFFSET</c>.</summary>
    public const int PioPageOffset = 1;

    /// <summary><c>KVM_COALESCED_MMIO_PAGE_OFFSET</c>.</summary>
    public const int CoalescedMmioPageOffset = 2;

    /// <summary><c>KVM_DIRTY_LOG_PAGE_OFFSET</c>.</summary>
    public const int DirtyLogPageOffset = 64;

    /// <summary><c>KVM_MSR_FILTER_MAX_RANGES</c>.</summary>
    public const int MsrFilterMaxRanges = 16;

    /// <summary><c>KVM_MSR_FILTER_MAX_BITMAP_SIZE</c>.</summary>
    public const int MsrFilterMaxBitmapSize = 0x600;

    /// <summary><c>KVM_MAX_XCRS</c>.</summary>
    public const int MaxXcrs = 16;

    /// <summary><c>KVM_IOAPIC_NUM_PINS</c>.</summary>
    public const int IoapicNumPins = 24;

    /// <summary><c>KVM_NR_IRQCHIPS</c>.</summary>
    public const int NrIrqchips = 3;

    /// <summary><c>KVM_NR_INTERRUPTS</c>.</summary>
    public const int NrInterrupts = 0x100;

    /// <summary><c>KVM_APIC_REG_SIZE</c>.</summary>
    public const int ApicRegSize = 0x400;

    /// <summary><c>KVM_STATE_NESTED_VMX_VMCS_SIZE</c>.</summary>
    public const int StateNestedVmxVmcsSize = 0x1000;

    /// <summary><c>KVM_STATE_NESTED_SVM_VMCB_SIZE</c>.</summary>
    public const int StateNestedSvmVmcbSize = 0x1000;

    /// <summary><c>KVM_X86_XCOMP_GUEST_SUPP</c>.</summary>
    public const int X86XcompGuestSupp = 0;

    /// <summary><c>KVM_X86_SEV_VMSA_FEATURES</c>.</summary>
    public const int X86SevVmsaFeatures = 0;

    /// <summary><c>KVM_STATS_TYPE_MASK</c>.</summary>
    public const int StatsTypeMask = 15;

    /// <summary><c>KVM_STATS_UNIT_MASK</c>.</summary>
    public const int StatsUnitMask = 0xf0;

    /// <summary><c>KVM_STATS_BASE_MASK</c>.</summary>
    public const int StatsBaseMask = 0xf00;

    /// <summary><c>KVM_DIRTY_GFN_F_MASK</c>.</summary>
    public const int DirtyGfnFMask = 3;

    /// <summary><c>KVM_HYPERV_CONN_ID_MASK</c>.</summary>
    public const int HypervConnIdMask = 0xffffff;

    /// <summary><c>SYNC_REGS_SIZE_BYTES</c>.</summary>
    public const int SyncRegsSizeBytes = 0x800;
}
