// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Why KVM_RUN returned (kvm_run.exit_reason), every reason of the header, other architectures' included.</summary>
internal enum KvmExitReason : uint
{
    /// <summary><c>KVM_EXIT_UNKNOWN</c>.</summary>
    Unknown = 0,

    /// <summary><c>KVM_EXIT_EXCEPTION</c>.</summary>
    Exception = 1,

    /// <summary><c>KVM_EXIT_IO</c>.</summary>
    Io = 2,

    /// <summary><c>KVM_EXIT_HYPERCALL</c>.</summary>
    Hypercall = 3,

    /// <summary><c>KVM_EXIT_DEBUG</c>.</summary>
    Debug = 4,

    /// <summary><c>KVM_EXIT_HLT</c>.</summary>
    Hlt = 5,

    /// <summary><c>KVM_EXIT_MMIO</c>.</summary>
    Mmio = 6,

    /// <summary><c>KVM_EXIT_IRQ_WINDOW_OPEN</c>.</summary>
    IrqWindowOpen = 7,

    /// <summary><c>KVM_EXIT_SHUTDOWN</c>.</summary>
    Shutdown = 8,

    /// <summary><c>KVM_EXIT_FAIL_ENTRY</c>.</summary>
    FailEntry = 9,

    /// <summary><c>KVM_EXIT_INTR</c>.</summary>
    Intr = 10,

    /// <summary><c>KVM_EXIT_SET_TPR</c>.</summary>
    SetTpr = 11,

    /// <summary><c>KVM_EXIT_TPR_ACCESS</c>.</summary>
    TprAccess = 12,

    /// <summary><c>KVM_EXIT_S390_SIEIC</c>.</summary>
    S390Sieic = 13,

    /// <summary><c>KVM_EXIT_S390_RESET</c>.</summary>
    S390Reset = 14,

    /// <summary><c>KVM_EXIT_DCR</c>.</summary>
    Dcr = 15,

    /// <summary><c>KVM_EXIT_NMI</c>.</summary>
    Nmi = 16,

    /// <summary><c>KVM_EXIT_INTERNAL_ERROR</c>.</summary>
    InternalError = 17,

    /// <summary><c>KVM_EXIT_OSI</c>.</summary>
    Osi = 18,

    /// <summary><c>KVM_EXIT_PAPR_HCALL</c>.</summary>
    PaprHcall = 19,

    /// <summary><c>KVM_EXIT_S390_UCONTROL</c>.</summary>
    S390Ucontrol = 20,

    /// <summary><c>KVM_EXIT_WATCHDOG</c>.</summary>
    Watchdog = 21,

    /// <summary><c>KVM_EXIT_S390_TSCH</c>.</summary>
    S390Tsch = 22,

    /// <summary><c>KVM_EXIT_EPR</c>.</summary>
    Epr = 23,

    /// <summary><c>KVM_EXIT_SYSTEM_EVENT</c>.</summary>
    SystemEvent = 24,

    /// <summary><c>KVM_EXIT_S390_STSI</c>.</summary>
    S390Stsi = 25,

    /// <summary><c>KVM_EXIT_IOAPIC_EOI</c>.</summary>
    IoapicEoi = 26,

    /// <summary><c>KVM_EXIT_HYPERV</c>.</summary>
    Hyperv = 27,

    /// <summary><c>KVM_EXIT_ARM_NISV</c>.</summary>
    ArmNisv = 28,

    /// <summary><c>KVM_EXIT_X86_RDMSR</c>.</summary>
    X86Rdmsr = 29,

    /// <summary><c>KVM_EXIT_X86_WRMSR</c>.</summary>
    X86Wrmsr = 30,

    /// <summary><c>KVM_EXIT_DIRTY_RING_FULL</c>.</summary>
    DirtyRingFull = 31,

    /// <summary><c>KVM_EXIT_AP_RESET_HOLD</c>.</summary>
    ApResetHold = 32,

    /// <summary><c>KVM_EXIT_X86_BUS_LOCK</c>.</summary>
    X86BusLock = 33,

    /// <summary><c>KVM_EXIT_XEN</c>.</summary>
    Xen = 34,

    /// <summary><c>KVM_EXIT_RISCV_SBI</c>.</summary>
    RiscvSbi = 35,

    /// <summary><c>KVM_EXIT_RISCV_CSR</c>.</summary>
    RiscvCsr = 36,

    /// <summary><c>KVM_EXIT_NOTIFY</c>.</summary>
    Notify = 37,

    /// <summary><c>KVM_EXIT_LOONGARCH_IOCSR</c>.</summary>
    LoongarchIocsr = 38,

    /// <summary><c>KVM_EXIT_MEMORY_FAULT</c>.</summary>
    MemoryFault = 39,

    /// <summary><c>KVM_EXIT_TDX</c>.</summary>
    Tdx = 40,
}
