// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>The multiprocessing states; an x86 vCPU uses the first five and AP_RESET_HOLD.</summary>
internal enum KvmMpStateValue : uint
{
    /// <summary><c>KVM_MP_STATE_RUNNABLE</c>.</summary>
    Runnable = 0,

    /// <summary><c>KVM_MP_STATE_UNINITIALIZED</c>.</summary>
    Uninitialized = 1,

    /// <summary><c>KVM_MP_STATE_INIT_RECEIVED</c>.</summary>
    InitReceived = 2,

    /// <summary><c>KVM_MP_STATE_HALTED</c>.</summary>
    Halted = 3,

    /// <summary><c>KVM_MP_STATE_SIPI_RECEIVED</c>.</summary>
    SipiReceived = 4,

    /// <summary><c>KVM_MP_STATE_STOPPED</c>.</summary>
    Stopped = 5,

    /// <summary><c>KVM_MP_STATE_CHECK_STOP</c>.</summary>
    CheckStop = 6,

    /// <summary><c>KVM_MP_STATE_OPERATING</c>.</summary>
    Operating = 7,

    /// <summary><c>KVM_MP_STATE_LOAD</c>.</summary>
    Load = 8,

    /// <summary><c>KVM_MP_STATE_AP_RESET_HOLD</c>.</summary>
    ApResetHold = 9,

    /// <summary><c>KVM_MP_STATE_SUSPENDED</c>.</summary>
    Suspended = 10,
}

/// <summary>Which parts of kvm_vcpu_events are meant.</summary>
[Flags]
internal enum KvmVcpuEventFlags : uint
{
    None = 0,

    /// <summary><c>KVM_VCPUEVENT_VALID_NMI_PENDING</c>.</summary>
    NmiPending = 0x1,

    /// <summary><c>KVM_VCPUEVENT_VALID_SIPI_VECTOR</c>.</summary>
    SipiVector = 0x2,

    /// <summary><c>KVM_VCPUEVENT_VALID_SHADOW</c>.</summary>
    Shadow = 0x4,

    /// <summary><c>KVM_VCPUEVENT_VALID_SMM</c>.</summary>
    Smm = 0x8,

    /// <summary><c>KVM_VCPUEVENT_VALID_PAYLOAD</c>.</summary>
    Payload = 0x10,

    /// <summary><c>KVM_VCPUEVENT_VALID_TRIPLE_FAULT</c>.</summary>
    TripleFault = 0x20,
}

/// <summary>Why interrupts are held off for one instruction.</summary>
[Flags]
internal enum KvmInterruptShadow : byte
{
    None = 0,

    /// <summary><c>KVM_X86_SHADOW_INT_MOV_SS</c>.</summary>
    MovSs = 0x1,

    /// <summary><c>KVM_X86_SHADOW_INT_STI</c>.</summary>
    Sti = 0x2,
}

/// <summary>The register groups of the synced area.</summary>
[Flags]
internal enum KvmSyncFields : ulong
{
    None = 0,

    /// <summary><c>KVM_SYNC_X86_REGS</c>.</summary>
    Regs = 0x1,

    /// <summary><c>KVM_SYNC_X86_SREGS</c>.</summary>
    Sregs = 0x2,

    /// <summary><c>KVM_SYNC_X86_EVENTS</c>.</summary>
    Events = 0x4,
}

/// <summary>What KVM_SET_GUEST_DEBUG arms.</summary>
[Flags]
internal enum KvmGuestDebugFlags : uint
{
    None = 0,

    /// <summary><c>KVM_GUESTDBG_ENABLE</c>.</summary>
    Enable = 0x1,

    /// <summary><c>KVM_GUESTDBG_SINGLESTEP</c>.</summary>
    Singlestep = 0x2,

    /// <summary><c>KVM_GUESTDBG_USE_SW_BP</c>.</summary>
    UseSwBp = 0x10000,

    /// <summary><c>KVM_GUESTDBG_USE_HW_BP</c>.</summary>
    UseHwBp = 0x20000,

    /// <summary><c>KVM_GUESTDBG_INJECT_DB</c>.</summary>
    InjectDb = 0x40000,

    /// <summary><c>KVM_GUESTDBG_INJECT_BP</c>.</summary>
    InjectBp = 0x80000,

    /// <summary><c>KVM_GUESTDBG_BLOCKIRQ</c>.</summary>
    Blockirq = 0x100000,
}

/// <summary>Flags of kvm_sregs2.</summary>
[Flags]
internal enum KvmSregs2Flags : ulong
{
    None = 0,

    /// <summary><c>KVM_SREGS2_FLAGS_PDPTRS_VALID</c>.</summary>
    PdptrsValid = 0x1,
}

/// <summary>Flags of a CPUID entry; the header's own spelling of the first is kept in the table.</summary>
[Flags]
internal enum KvmCpuidFlags : uint
{
    None = 0,

    /// <summary><c>KVM_CPUID_FLAG_SIGNIFCANT_INDEX</c>.</summary>
    SignificantIndex = 0x1,

    /// <summary><c>KVM_CPUID_FLAG_STATEFUL_FUNC</c>.</summary>
    StatefulFunc = 0x2,

    /// <summary><c>KVM_CPUID_FLAG_STATE_READ_NEXT</c>.</summary>
    StateReadNext = 0x4,
}

/// <summary>Whose nested state it is.</summary>
internal enum KvmNestedFormat : ushort
{
    /// <summary><c>KVM_STATE_NESTED_FORMAT_VMX</c>.</summary>
    Vmx = 0,

    /// <summary><c>KVM_STATE_NESTED_FORMAT_SVM</c>.</summary>
    Svm = 1,
}

/// <summary>Flags of the nested state.</summary>
[Flags]
internal enum KvmNestedFlags : ushort
{
    None = 0,

    /// <summary><c>KVM_STATE_NESTED_GUEST_MODE</c>.</summary>
    GuestMode = 0x1,

    /// <summary><c>KVM_STATE_NESTED_RUN_PENDING</c>.</summary>
    RunPending = 0x2,

    /// <summary><c>KVM_STATE_NESTED_EVMCS</c>.</summary>
    Evmcs = 0x4,

    /// <summary><c>KVM_STATE_NESTED_MTF_PENDING</c>.</summary>
    MtfPending = 0x8,

    /// <summary><c>KVM_STATE_NESTED_GIF_SET</c>.</summary>
    GifSet = 0x100,
}

/// <summary>System-management flags of the nested VMX state.</summary>
[Flags]
internal enum KvmNestedSmmFlags : ushort
{
    None = 0,

    /// <summary><c>KVM_STATE_NESTED_SMM_GUEST_MODE</c>.</summary>
    GuestMode = 0x1,

    /// <summary><c>KVM_STATE_NESTED_SMM_VMXON</c>.</summary>
    Vmxon = 0x2,
}

/// <summary>Flags of the nested VMX head.</summary>
[Flags]
internal enum KvmVmxNestedFlags : uint
{
    None = 0,

    /// <summary><c>KVM_STATE_VMX_PREEMPTION_TIMER_DEADLINE</c>.</summary>
    PreemptionTimerDeadline = 0x1,
}
