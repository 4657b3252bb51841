// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>The capabilities that KVM_CHECK_EXTENSION and KVM_ENABLE_CAP name, as far as an x86 host can have them.</summary>
internal enum KvmCapability : uint
{
    /// <summary><c>KVM_CAP_IRQCHIP</c>.</summary>
    Irqchip = 0,

    /// <summary><c>KVM_CAP_HLT</c>.</summary>
    Hlt = 1,

    /// <summary><c>KVM_CAP_MMU_SHADOW_CACHE_CONTROL</c>.</summary>
    MmuShadowCacheControl = 2,

    /// <summary><c>KVM_CAP_USER_MEMORY</c>.</summary>
    UserMemory = 3,

    /// <summary><c>KVM_CAP_SET_TSS_ADDR</c>.</summary>
    SetTssAddr = 4,

    /// <summary><c>KVM_CAP_VAPIC</c>.</summary>
    Vapic = 6,

    /// <summary><c>KVM_CAP_EXT_CPUID</c>.</summary>
    ExtCpuid = 7,

    /// <summary><c>KVM_CAP_CLOCKSOURCE</c>.</summary>
    Clocksource = 8,

    /// <summary><c>KVM_CAP_NR_VCPUS</c>.</summary>
    NrVcpus = 9,

    /// <summary><c>KVM_CAP_NR_MEMSLOTS</c>.</summary>
    NrMemslots = 10,

    /// <summary><c>KVM_CAP_PIT</c>.</summary>
    Pit = 11,

    /// <summary><c>KVM_CAP_NOP_IO_DELAY</c>.</summary>
    NopIoDelay = 12,

    /// <summary><c>KVM_CAP_PV_MMU</c>.</summary>
    PvMmu = 13,

    /// <summary><c>KVM_CAP_MP_STATE</c>.</summary>
    MpState = 14,

    /// <summary><c>KVM_CAP_COALESCED_MMIO</c>.</summary>
    CoalescedMmio = 15,

    /// <summary><c>KVM_CAP_SYNC_MMU</c>.</summary>
    SyncMmu = 16,

    /// <summary><c>KVM_CAP_IOMMU</c>.</summary>
    Iommu = 18,

    /// <summary><c>KVM_CAP_DESTROY_MEMORY_REGION_WORKS</c>.</summary>
    DestroyMemoryRegionWorks = 21,

    /// <summary><c>KVM_CAP_USER_NMI</c>.</summary>
    UserNmi = 22,

    /// <summary><c>KVM_CAP_SET_GUEST_DEBUG</c>.</summary>
    SetGuestDebug = 23,

    /// <summary><c>KVM_CAP_REINJECT_CONTROL</c>.</summary>
    ReinjectControl = 24,

    /// <summary><c>KVM_CAP_IRQ_ROUTING</c>.</summary>
    IrqRouting = 25,

    /// <summary><c>KVM_CAP_IRQ_INJECT_STATUS</c>.</summary>
    IrqInjectStatus = 26,

    /// <summary><c>KVM_CAP_ASSIGN_DEV_IRQ</c>.</summary>
    AssignDevIrq = 29,

    /// <summary><c>KVM_CAP_JOIN_MEMORY_REGIONS_WORKS</c>.</summary>
    JoinMemoryRegionsWorks = 30,

    /// <summary><c>KVM_CAP_MCE</c>.</summary>
    Mce = 31,

    /// <summary><c>KVM_CAP_IRQFD</c>.</summary>
    Irqfd = 32,

    /// <summary><c>KVM_CAP_PIT2</c>.</summary>
    Pit2 = 33,

    /// <summary><c>KVM_CAP_SET_BOOT_CPU_ID</c>.</summary>
    SetBootCpuId = 34,

    /// <summary><c>KVM_CAP_PIT_STATE2</c>.</summary>
    PitState2 = 35,

    /// <summary><c>KVM_CAP_IOEVENTFD</c>.</summary>
    Ioeventfd = 36,

    /// <summary><c>KVM_CAP_SET_IDENTITY_MAP_ADDR</c>.</summary>
    SetIdentityMapAddr = 37,

    /// <summary><c>KVM_CAP_XEN_HVM</c>.</summary>
    XenHvm = 38,

    /// <summary><c>KVM_CAP_ADJUST_CLOCK</c>.</summary>
    AdjustClock = 39,

    /// <summary><c>KVM_CAP_INTERNAL_ERROR_DATA</c>.</summary>
    InternalErrorData = 40,

    /// <summary><c>KVM_CAP_VCPU_EVENTS</c>.</summary>
    VcpuEvents = 41,

    /// <summary><c>KVM_CAP_HYPERV</c>.</summary>
    Hyperv = 44,

    /// <summary><c>KVM_CAP_HYPERV_VAPIC</c>.</summary>
    HypervVapic = 45,

    /// <summary><c>KVM_CAP_HYPERV_SPIN</c>.</summary>
    HypervSpin = 46,

    /// <summary><c>KVM_CAP_PCI_SEGMENT</c>.</summary>
    PciSegment = 47,

    /// <summary><c>KVM_CAP_INTR_SHADOW</c>.</summary>
    IntrShadow = 49,

    /// <summary><c>KVM_CAP_DEBUGREGS</c>.</summary>
    Debugregs = 50,

    /// <summary><c>KVM_CAP_X86_ROBUST_SINGLESTEP</c>.</summary>
    X86RobustSinglestep = 51,

    /// <summary><c>KVM_CAP_ENABLE_CAP</c>.</summary>
    EnableCap = 54,

    /// <summary><c>KVM_CAP_XSAVE</c>.</summary>
    Xsave = 55,

    /// <summary><c>KVM_CAP_XCRS</c>.</summary>
    Xcrs = 56,

    /// <summary><c>KVM_CAP_ASYNC_PF</c>.</summary>
    AsyncPf = 59,

    /// <summary><c>KVM_CAP_TSC_CONTROL</c>.</summary>
    TscControl = 60,

    /// <summary><c>KVM_CAP_GET_TSC_KHZ</c>.</summary>
    GetTscKhz = 61,

    /// <summary><c>KVM_CAP_MAX_VCPUS</c>.</summary>
    MaxVcpus = 66,

    /// <summary><c>KVM_CAP_ONE_REG</c>.</summary>
    OneReg = 70,

    /// <summary><c>KVM_CAP_TSC_DEADLINE_TIMER</c>.</summary>
    TscDeadlineTimer = 72,

    /// <summary><c>KVM_CAP_SYNC_REGS</c>.</summary>
    SyncRegs = 74,

    /// <summary><c>KVM_CAP_PCI_2_3</c>.</summary>
    Pci_2_3 = 75,

    /// <summary><c>KVM_CAP_KVMCLOCK_CTRL</c>.</summary>
    KvmclockCtrl = 76,

    /// <summary><c>KVM_CAP_SIGNAL_MSI</c>.</summary>
    SignalMsi = 77,

    /// <summary><c>KVM_CAP_READONLY_MEM</c>.</summary>
    ReadonlyMem = 81,

    /// <summary><c>KVM_CAP_IRQFD_RESAMPLE</c>.</summary>
    IrqfdResample = 82,

    /// <summary><c>KVM_CAP_DEVICE_CTRL</c>.</summary>
    DeviceCtrl = 89,

    /// <summary><c>KVM_CAP_EXT_EMUL_CPUID</c>.</summary>
    ExtEmulCpuid = 95,

    /// <summary><c>KVM_CAP_HYPERV_TIME</c>.</summary>
    HypervTime = 96,

    /// <summary><c>KVM_CAP_IOAPIC_POLARITY_IGNORED</c>.</summary>
    IoapicPolarityIgnored = 97,

    /// <summary><c>KVM_CAP_ENABLE_CAP_VM</c>.</summary>
    EnableCapVm = 98,

    /// <summary><c>KVM_CAP_IOEVENTFD_NO_LENGTH</c>.</summary>
    IoeventfdNoLength = 100,

    /// <summary><c>KVM_CAP_VM_ATTRIBUTES</c>.</summary>
    VmAttributes = 101,

    /// <summary><c>KVM_CAP_CHECK_EXTENSION_VM</c>.</summary>
    CheckExtensionVm = 105,

    /// <summary><c>KVM_CAP_DISABLE_QUIRKS</c>.</summary>
    DisableQuirks = 116,

    /// <summary><c>KVM_CAP_X86_SMM</c>.</summary>
    X86Smm = 117,

    /// <summary><c>KVM_CAP_MULTI_ADDRESS_SPACE</c>.</summary>
    MultiAddressSpace = 118,

    /// <summary><c>KVM_CAP_GUEST_DEBUG_HW_BPS</c>.</summary>
    GuestDebugHwBps = 119,

    /// <summary><c>KVM_CAP_GUEST_DEBUG_HW_WPS</c>.</summary>
    GuestDebugHwWps = 120,

    /// <summary><c>KVM_CAP_SPLIT_IRQCHIP</c>.</summary>
    SplitIrqchip = 121,

    /// <summary><c>KVM_CAP_IOEVENTFD_ANY_LENGTH</c>.</summary>
    IoeventfdAnyLength = 122,

    /// <summary><c>KVM_CAP_HYPERV_SYNIC</c>.</summary>
    HypervSynic = 123,

    /// <summary><c>KVM_CAP_VCPU_ATTRIBUTES</c>.</summary>
    VcpuAttributes = 127,

    /// <summary><c>KVM_CAP_MAX_VCPU_ID</c>.</summary>
    MaxVcpuId = 128,

    /// <summary><c>KVM_CAP_X2APIC_API</c>.</summary>
    X2apicApi = 129,

    /// <summary><c>KVM_CAP_MSI_DEVID</c>.</summary>
    MsiDevid = 131,

    /// <summary><c>KVM_CAP_IMMEDIATE_EXIT</c>.</summary>
    ImmediateExit = 136,

    /// <summary><c>KVM_CAP_X86_DISABLE_EXITS</c>.</summary>
    X86DisableExits = 143,

    /// <summary><c>KVM_CAP_HYPERV_SYNIC2</c>.</summary>
    HypervSynic2 = 148,

    /// <summary><c>KVM_CAP_HYPERV_VP_INDEX</c>.</summary>
    HypervVpIndex = 149,

    /// <summary><c>KVM_CAP_GET_MSR_FEATURES</c>.</summary>
    GetMsrFeatures = 153,

    /// <summary><c>KVM_CAP_HYPERV_EVENTFD</c>.</summary>
    HypervEventfd = 154,

    /// <summary><c>KVM_CAP_HYPERV_TLBFLUSH</c>.</summary>
    HypervTlbflush = 155,

    /// <summary><c>KVM_CAP_NESTED_STATE</c>.</summary>
    NestedState = 157,

    /// <summary><c>KVM_CAP_MSR_PLATFORM_INFO</c>.</summary>
    MsrPlatformInfo = 159,

    /// <summary><c>KVM_CAP_HYPERV_SEND_IPI</c>.</summary>
    HypervSendIpi = 161,

    /// <summary><c>KVM_CAP_COALESCED_PIO</c>.</summary>
    CoalescedPio = 162,

    /// <summary><c>KVM_CAP_HYPERV_ENLIGHTENED_VMCS</c>.</summary>
    HypervEnlightenedVmcs = 163,

    /// <summary><c>KVM_CAP_EXCEPTION_PAYLOAD</c>.</summary>
    ExceptionPayload = 164,

    /// <summary><c>KVM_CAP_MANUAL_DIRTY_LOG_PROTECT</c>.</summary>
    ManualDirtyLogProtect = 166,

    /// <summary><c>KVM_CAP_HYPERV_CPUID</c>.</summary>
    HypervCpuid = 167,

    /// <summary><c>KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2</c>.</summary>
    ManualDirtyLogProtect2 = 168,

    /// <summary><c>KVM_CAP_PMU_EVENT_FILTER</c>.</summary>
    PmuEventFilter = 173,

    /// <summary><c>KVM_CAP_HYPERV_DIRECT_TLBFLUSH</c>.</summary>
    HypervDirectTlbflush = 175,

    /// <summary><c>KVM_CAP_HALT_POLL</c>.</summary>
    HaltPoll = 182,

    /// <summary><c>KVM_CAP_ASYNC_PF_INT</c>.</summary>
    AsyncPfInt = 183,

    /// <summary><c>KVM_CAP_LAST_CPU</c>.</summary>
    LastCpu = 184,

    /// <summary><c>KVM_CAP_SMALLER_MAXPHYADDR</c>.</summary>
    SmallerMaxphyaddr = 185,

    /// <summary><c>KVM_CAP_STEAL_TIME</c>.</summary>
    StealTime = 187,

    /// <summary><c>KVM_CAP_X86_USER_SPACE_MSR</c>.</summary>
    X86UserSpaceMsr = 188,

    /// <summary><c>KVM_CAP_X86_MSR_FILTER</c>.</summary>
    X86MsrFilter = 189,

    /// <summary><c>KVM_CAP_ENFORCE_PV_FEATURE_CPUID</c>.</summary>
    EnforcePvFeatureCpuid = 190,

    /// <summary><c>KVM_CAP_SYS_HYPERV_CPUID</c>.</summary>
    SysHypervCpuid = 191,

    /// <summary><c>KVM_CAP_DIRTY_LOG_RING</c>.</summary>
    DirtyLogRing = 192,

    /// <summary><c>KVM_CAP_X86_BUS_LOCK_EXIT</c>.</summary>
    X86BusLockExit = 193,

    /// <summary><c>KVM_CAP_SET_GUEST_DEBUG2</c>.</summary>
    SetGuestDebug2 = 195,

    /// <summary><c>KVM_CAP_SGX_ATTRIBUTE</c>.</summary>
    SgxAttribute = 196,

    /// <summary><c>KVM_CAP_VM_COPY_ENC_CONTEXT_FROM</c>.</summary>
    VmCopyEncContextFrom = 197,

    /// <summary><c>KVM_CAP_PTP_KVM</c>.</summary>
    PtpKvm = 198,

    /// <summary><c>KVM_CAP_HYPERV_ENFORCE_CPUID</c>.</summary>
    HypervEnforceCpuid = 199,

    /// <summary><c>KVM_CAP_SREGS2</c>.</summary>
    Sregs2 = 200,

    /// <summary><c>KVM_CAP_EXIT_HYPERCALL</c>.</summary>
    ExitHypercall = 201,

    /// <summary><c>KVM_CAP_BINARY_STATS_FD</c>.</summary>
    BinaryStatsFd = 203,

    /// <summary><c>KVM_CAP_EXIT_ON_EMULATION_FAILURE</c>.</summary>
    ExitOnEmulationFailure = 204,

    /// <summary><c>KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM</c>.</summary>
    VmMoveEncContextFrom = 206,

    /// <summary><c>KVM_CAP_VM_GPA_BITS</c>.</summary>
    VmGpaBits = 207,

    /// <summary><c>KVM_CAP_XSAVE2</c>.</summary>
    Xsave2 = 208,

    /// <summary><c>KVM_CAP_SYS_ATTRIBUTES</c>.</summary>
    SysAttributes = 209,

    /// <summary><c>KVM_CAP_PMU_CAPABILITY</c>.</summary>
    PmuCapability = 212,

    /// <summary><c>KVM_CAP_DISABLE_QUIRKS2</c>.</summary>
    DisableQuirks2 = 213,

    /// <summary><c>KVM_CAP_VM_TSC_CONTROL</c>.</summary>
    VmTscControl = 214,

    /// <summary><c>KVM_CAP_SYSTEM_EVENT_DATA</c>.</summary>
    SystemEventData = 215,

    /// <summary><c>KVM_CAP_X86_TRIPLE_FAULT_EVENT</c>.</summary>
    X86TripleFaultEvent = 218,

    /// <summary><c>KVM_CAP_X86_NOTIFY_VMEXIT</c>.</summary>
    X86NotifyVmexit = 219,

    /// <summary><c>KVM_CAP_VM_DISABLE_NX_HUGE_PAGES</c>.</summary>
    VmDisableNxHugePages = 220,

    /// <summary><c>KVM_CAP_DIRTY_LOG_RING_ACQ_REL</c>.</summary>
    DirtyLogRingAcqRel = 223,

    /// <summary><c>KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP</c>.</summary>
    DirtyLogRingWithBitmap = 225,

    /// <summary><c>KVM_CAP_PMU_EVENT_MASKED_EVENTS</c>.</summary>
    PmuEventMaskedEvents = 226,

    /// <summary><c>KVM_CAP_COUNTER_OFFSET</c>.</summary>
    CounterOffset = 227,

    /// <summary><c>KVM_CAP_USER_MEMORY2</c>.</summary>
    UserMemory2 = 231,

    /// <summary><c>KVM_CAP_MEMORY_FAULT_INFO</c>.</summary>
    MemoryFaultInfo = 232,

    /// <summary><c>KVM_CAP_MEMORY_ATTRIBUTES</c>.</summary>
    MemoryAttributes = 233,

    /// <summary><c>KVM_CAP_GUEST_MEMFD</c>.</summary>
    GuestMemfd = 234,

    /// <summary><c>KVM_CAP_VM_TYPES</c>.</summary>
    VmTypes = 235,

    /// <summary><c>KVM_CAP_PRE_FAULT_MEMORY</c>.</summary>
    PreFaultMemory = 236,

    /// <summary><c>KVM_CAP_X86_APIC_BUS_CYCLES_NS</c>.</summary>
    X86ApicBusCyclesNs = 237,

    /// <summary><c>KVM_CAP_X86_GUEST_MODE</c>.</summary>
    X86GuestMode = 238,

    /// <summary><c>KVM_CAP_GUEST_MEMFD_FLAGS</c>.</summary>
    GuestMemfdFlags = 244,
}
