// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Machine types of KVM_CREATE_VM.</summary>
internal enum KvmVmType : uint
{
    /// <summary><c>KVM_X86_DEFAULT_VM</c>.</summary>
    DefaultVm = 0,

    /// <summary><c>KVM_X86_SW_PROTECTED_VM</c>.</summary>
    SwProtectedVm = 1,

    /// <summary><c>KVM_X86_SEV_VM</c>.</summary>
    SevVm = 2,

    /// <summary><c>KVM_X86_SEV_ES_VM</c>.</summary>
    SevEsVm = 3,

    /// <summary><c>KVM_X86_SNP_VM</c>.</summary>
    SnpVm = 4,

    /// <summary><c>KVM_X86_TDX_VM</c>.</summary>
    TdxVm = 5,
}

/// <summary>Flags of the paravirtual clock.</summary>
[Flags]
internal enum KvmClockFlags : uint
{
    None = 0,

    /// <summary><c>KVM_CLOCK_TSC_STABLE</c>.</summary>
    TscStable = 0x2,

    /// <summary><c>KVM_CLOCK_REALTIME</c>.</summary>
    Realtime = 0x4,

    /// <summary><c>KVM_CLOCK_HOST_TSC</c>.</summary>
    HostTsc = 0x8,
}

/// <summary>Arguments of KVM_CAP_X86_DISABLE_EXITS.</summary>
[Flags]
internal enum KvmDisableExits : ulong
{
    None = 0,

    /// <summary><c>KVM_X86_DISABLE_EXITS_MWAIT</c>.</summary>
    Mwait = 0x1,

    /// <summary><c>KVM_X86_DISABLE_EXITS_HLT</c>.</summary>
    Hlt = 0x2,

    /// <summary><c>KVM_X86_DISABLE_EXITS_PAUSE</c>.</summary>
    Pause = 0x4,

    /// <summary><c>KVM_X86_DISABLE_EXITS_CSTATE</c>.</summary>
    Cstate = 0x8,

    /// <summary><c>KVM_X86_DISABLE_EXITS_APERFMPERF</c>.</summary>
    Aperfmperf = 0x10,
}

/// <summary>Arguments of KVM_CAP_DISABLE_QUIRKS2.</summary>
[Flags]
internal enum KvmQuirks : ulong
{
    None = 0,

    /// <summary><c>KVM_X86_QUIRK_LINT0_REENABLED</c>.</summary>
    Lint0Reenabled = 0x1,

    /// <summary><c>KVM_X86_QUIRK_CD_NW_CLEARED</c>.</summary>
    CdNwCleared = 0x2,

    /// <summary><c>KVM_X86_QUIRK_LAPIC_MMIO_HOLE</c>.</summary>
    LapicMmioHole = 0x4,

    /// <summary><c>KVM_X86_QUIRK_OUT_7E_INC_RIP</c>.</summary>
    Out7eIncRip = 0x8,

    /// <summary><c>KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT</c>.</summary>
    MiscEnableNoMwait = 0x10,

    /// <summary><c>KVM_X86_QUIRK_FIX_HYPERCALL_INSN</c>.</summary>
    FixHypercallInsn = 0x20,

    /// <summary><c>KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS</c>.</summary>
    MwaitNeverUdFaults = 0x40,

    /// <summary><c>KVM_X86_QUIRK_SLOT_ZAP_ALL</c>.</summary>
    SlotZapAll = 0x80,

    /// <summary><c>KVM_X86_QUIRK_STUFF_FEATURE_MSRS</c>.</summary>
    StuffFeatureMsrs = 0x100,

    /// <summary><c>KVM_X86_QUIRK_IGNORE_GUEST_PAT</c>.</summary>
    IgnoreGuestPat = 0x200,
}

/// <summary>What the MSR filter does outside its ranges.</summary>
[Flags]
internal enum KvmMsrFilterFlags : uint
{
    /// <summary><c>KVM_MSR_FILTER_DEFAULT_ALLOW</c>.</summary>
    Allow = 0,

    /// <summary><c>KVM_MSR_FILTER_DEFAULT_DENY</c>.</summary>
    Deny = 0x1,
}

/// <summary>The accesses that a range of the MSR filter is about.</summary>
[Flags]
internal enum KvmMsrFilterRangeFlags : uint
{
    None = 0,

    /// <summary><c>KVM_MSR_FILTER_READ</c>.</summary>
    Read = 0x1,

    /// <summary><c>KVM_MSR_FILTER_WRITE</c>.</summary>
    Write = 0x2,
}

/// <summary>Arguments of KVM_CAP_X86_BUS_LOCK_EXIT.</summary>
[Flags]
internal enum KvmBusLockDetection : ulong
{
    None = 0,

    /// <summary><c>KVM_BUS_LOCK_DETECTION_OFF</c>.</summary>
    Off = 0x1,

    /// <summary><c>KVM_BUS_LOCK_DETECTION_EXIT</c>.</summary>
    Exit = 0x2,
}

/// <summary>Arguments of KVM_CAP_X86_NOTIFY_VMEXIT.</summary>
[Flags]
internal enum KvmNotifyVmexitFlags : ulong
{
    None = 0,

    /// <summary><c>KVM_X86_NOTIFY_VMEXIT_ENABLED</c>.</summary>
    Enabled = 0x1,

    /// <summary><c>KVM_X86_NOTIFY_VMEXIT_USER</c>.</summary>
    User = 0x2,
}

/// <summary>Arguments of KVM_CAP_PMU_CAPABILITY.</summary>
[Flags]
internal enum KvmPmuCapability : ulong
{
    None = 0,

    /// <summary><c>KVM_PMU_CAP_DISABLE</c>.</summary>
    Disable = 0x1,
}

/// <summary>What a PMU event filter does with the events it lists.</summary>
internal enum KvmPmuEventAction : uint
{
    /// <summary><c>KVM_PMU_EVENT_ALLOW</c>.</summary>
    Allow = 0,

    /// <summary><c>KVM_PMU_EVENT_DENY</c>.</summary>
    Deny = 1,
}

/// <summary>Flags of a PMU event filter.</summary>
[Flags]
internal enum KvmPmuEventFlags : uint
{
    None = 0,

    /// <summary><c>KVM_PMU_EVENT_FLAG_MASKED_EVENTS</c>.</summary>
    MaskedEvents = 0x1,
}

/// <summary>The devices that KVM_CREATE_DEVICE can make on x86.</summary>
internal enum KvmDeviceType : uint
{
    /// <summary><c>KVM_DEV_TYPE_VFIO</c>.</summary>
    Vfio = 4,
}

/// <summary>Flags of KVM_CREATE_DEVICE.</summary>
[Flags]
internal enum KvmCreateDeviceFlags : uint
{
    None = 0,

    /// <summary><c>KVM_CREATE_DEVICE_TEST</c>.</summary>
    Test = 0x1,
}

/// <summary>Attribute groups of the system descriptor.</summary>
internal enum KvmSystemAttributeGroup : uint
{
    /// <summary><c>KVM_X86_GRP_SYSTEM</c>.</summary>
    System = 0,

    /// <summary><c>KVM_X86_GRP_SEV</c>.</summary>
    Sev = 1,
}

/// <summary>Which parts of the Xen interface the VM offers.</summary>
[Flags]
internal enum KvmXenHvmConfigFlags : uint
{
    None = 0,

    /// <summary><c>KVM_XEN_HVM_CONFIG_HYPERCALL_MSR</c>.</summary>
    HypercallMsr = 0x1,

    /// <summary><c>KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL</c>.</summary>
    InterceptHcall = 0x2,

    /// <summary><c>KVM_XEN_HVM_CONFIG_SHARED_INFO</c>.</summary>
    SharedInfo = 0x4,

    /// <summary><c>KVM_XEN_HVM_CONFIG_RUNSTATE</c>.</summary>
    Runstate = 0x8,

    /// <summary><c>KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL</c>.</summary>
    Evtchn2level = 0x10,

    /// <summary><c>KVM_XEN_HVM_CONFIG_EVTCHN_SEND</c>.</summary>
    EvtchnSend = 0x20,

    /// <summary><c>KVM_XEN_HVM_CONFIG_RUNSTATE_UPDATE_FLAG</c>.</summary>
    RunstateUpdateFlag = 0x40,

    /// <summary><c>KVM_XEN_HVM_CONFIG_PVCLOCK_TSC_UNSTABLE</c>.</summary>
    PvclockTscUnstable = 0x80,

    /// <summary><c>KVM_XEN_HVM_CONFIG_SHARED_INFO_HVA</c>.</summary>
    SharedInfoHva = 0x100,
}

/// <summary>Xen attributes of a VM.</summary>
internal enum KvmXenHvmAttrType : ushort
{
    /// <summary><c>KVM_XEN_ATTR_TYPE_LONG_MODE</c>.</summary>
    LongMode = 0,

    /// <summary><c>KVM_XEN_ATTR_TYPE_SHARED_INFO</c>.</summary>
    SharedInfo = 1,

    /// <summary><c>KVM_XEN_ATTR_TYPE_UPCALL_VECTOR</c>.</summary>
    UpcallVector = 2,

    /// <summary><c>KVM_XEN_ATTR_TYPE_EVTCHN</c>.</summary>
    Evtchn = 3,

    /// <summary><c>KVM_XEN_ATTR_TYPE_XEN_VERSION</c>.</summary>
    XenVersion = 4,

    /// <summary><c>KVM_XEN_ATTR_TYPE_RUNSTATE_UPDATE_FLAG</c>.</summary>
    RunstateUpdateFlag = 5,

    /// <summary><c>KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA</c>.</summary>
    SharedInfoHva = 6,
}

/// <summary>Flags of a Xen event-channel attribute.</summary>
[Flags]
internal enum KvmXenEvtchnFlags : uint
{
    None = 0,

    /// <summary><c>KVM_XEN_EVTCHN_DEASSIGN</c>.</summary>
    Deassign = 0x1,

    /// <summary><c>KVM_XEN_EVTCHN_UPDATE</c>.</summary>
    Update = 0x2,

    /// <summary><c>KVM_XEN_EVTCHN_RESET</c>.</summary>
    Reset = 0x4,
}

/// <summary>Xen attributes of a vCPU.</summary>
internal enum KvmXenVcpuAttrType : ushort
{
    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO</c>.</summary>
    VcpuInfo = 0,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO</c>.</summary>
    VcpuTimeInfo = 1,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR</c>.</summary>
    RunstateAddr = 2,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_CURRENT</c>.</summary>
    RunstateCurrent = 3,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA</c>.</summary>
    RunstateData = 4,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADJUST</c>.</summary>
    RunstateAdjust = 5,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID</c>.</summary>
    VcpuId = 6,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_TIMER</c>.</summary>
    Timer = 7,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR</c>.</summary>
    UpcallVector = 8,

    /// <summary><c>KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA</c>.</summary>
    VcpuInfoHva = 9,
}
