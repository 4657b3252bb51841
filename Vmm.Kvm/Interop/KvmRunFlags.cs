// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Flags of kvm_run, valid at every exit.</summary>
[Flags]
internal enum KvmRunFlags : ushort
{
    None = 0,

    /// <summary><c>KVM_RUN_X86_SMM</c>.</summary>
    Smm = 0x1,

    /// <summary><c>KVM_RUN_X86_BUS_LOCK</c>.</summary>
    BusLock = 0x2,

    /// <summary><c>KVM_RUN_X86_GUEST_MODE</c>.</summary>
    GuestMode = 0x4,
}

/// <summary>Direction of a port access.</summary>
internal enum KvmIoDirection : byte
{
    /// <summary><c>KVM_EXIT_IO_IN</c>.</summary>
    In = 0,

    /// <summary><c>KVM_EXIT_IO_OUT</c>.</summary>
    Out = 1,
}

/// <summary>Suberrors of KVM_EXIT_INTERNAL_ERROR.</summary>
internal enum KvmInternalErrorSuberror : uint
{
    /// <summary><c>KVM_INTERNAL_ERROR_EMULATION</c>.</summary>
    Emulation = 1,

    /// <summary><c>KVM_INTERNAL_ERROR_SIMUL_EX</c>.</summary>
    SimulEx = 2,

    /// <summary><c>KVM_INTERNAL_ERROR_DELIVERY_EV</c>.</summary>
    DeliveryEv = 3,

    /// <summary><c>KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON</c>.</summary>
    UnexpectedExitReason = 4,
}

/// <summary>Which fields of kvm_run.emulation_failure are valid.</summary>
[Flags]
internal enum KvmEmulationFailureFlags : ulong
{
    None = 0,

    /// <summary><c>KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES</c>.</summary>
    InstructionBytes = 0x1,
}

/// <summary>Types of KVM_EXIT_SYSTEM_EVENT.</summary>
internal enum KvmSystemEventType : uint
{
    /// <summary><c>KVM_SYSTEM_EVENT_SHUTDOWN</c>.</summary>
    Shutdown = 1,

    /// <summary><c>KVM_SYSTEM_EVENT_RESET</c>.</summary>
    Reset = 2,

    /// <summary><c>KVM_SYSTEM_EVENT_CRASH</c>.</summary>
    Crash = 3,

    /// <summary><c>KVM_SYSTEM_EVENT_WAKEUP</c>.</summary>
    Wakeup = 4,

    /// <summary><c>KVM_SYSTEM_EVENT_SUSPEND</c>.</summary>
    Suspend = 5,

    /// <summary><c>KVM_SYSTEM_EVENT_SEV_TERM</c>.</summary>
    SevTerm = 6,

    /// <summary><c>KVM_SYSTEM_EVENT_TDX_FATAL</c>.</summary>
    TdxFatal = 7,
}

/// <summary>Why an MSR access left the guest; also the mask for KVM_CAP_X86_USER_SPACE_MSR.</summary>
[Flags]
internal enum KvmMsrExitReason : uint
{
    None = 0,

    /// <summary><c>KVM_MSR_EXIT_REASON_INVAL</c>.</summary>
    Inval = 0x1,

    /// <summary><c>KVM_MSR_EXIT_REASON_UNKNOWN</c>.</summary>
    Unknown = 0x2,

    /// <summary><c>KVM_MSR_EXIT_REASON_FILTER</c>.</summary>
    Filter = 0x4,
}

/// <summary>Types of KVM_EXIT_HYPERV.</summary>
internal enum KvmHypervExitType : uint
{
    /// <summary><c>KVM_EXIT_HYPERV_SYNIC</c>.</summary>
    Synic = 1,

    /// <summary><c>KVM_EXIT_HYPERV_HCALL</c>.</summary>
    Hcall = 2,

    /// <summary><c>KVM_EXIT_HYPERV_SYNDBG</c>.</summary>
    Syndbg = 3,
}

/// <summary>Types of KVM_EXIT_XEN.</summary>
internal enum KvmXenExitType : uint
{
    /// <summary><c>KVM_EXIT_XEN_HCALL</c>.</summary>
    Hcall = 1,
}

/// <summary>Flags of KVM_EXIT_NOTIFY.</summary>
[Flags]
internal enum KvmNotifyFlags : uint
{
    None = 0,

    /// <summary><c>KVM_NOTIFY_CONTEXT_INVALID</c>.</summary>
    ContextInvalid = 0x1,
}

/// <summary>Flags of KVM_EXIT_HYPERCALL.</summary>
[Flags]
internal enum KvmHypercallFlags : ulong
{
    None = 0,

    /// <summary><c>KVM_EXIT_HYPERCALL_LONG_MODE</c>.</summary>
    LongMode = 0x1,
}
