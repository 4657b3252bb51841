// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_mp_state</c>. The multiprocessing state of a vCPU.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMpState
{
    public uint State;
}

/// <summary><c>kvm_vcpu_events.exception</c>. The exception part of kvm_vcpu_events.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEventsException
{
    public byte Injected;
    public byte Nr;
    public byte HasErrorCode;
    public byte Pending;
    public uint ErrorCode;
}

/// <summary><c>kvm_vcpu_events.interrupt</c>. The external-interrupt part of kvm_vcpu_events.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEventsInterrupt
{
    public byte Injected;
    public byte Nr;
    public byte Soft;
    public byte Shadow;
}

/// <summary><c>kvm_vcpu_events.nmi</c>. The NMI part of kvm_vcpu_events.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEventsNmi
{
    public byte Injected;
    public byte Pending;
    public byte Masked;
    public byte Pad;
}

/// <summary><c>kvm_vcpu_events.smi</c>. The system-management part of kvm_vcpu_events.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEventsSmi
{
    public byte Smm;
    public byte Pending;
    public byte SmmInsideNmi;
    public byte LatchedInit;
}

/// <summary><c>kvm_vcpu_events.triple_fault</c>. The triple-fault part of kvm_vcpu_events.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEventsTripleFault
{
    public byte Pending;
}

/// <summary><c>kvm_vcpu_events</c>. Events that are pending or were being delivered when the vCPU stopped.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVcpuEvents
{
    public KvmVcpuEventsException Exception;
    public KvmVcpuEventsInterrupt Interrupt;
    public KvmVcpuEventsNmi Nmi;
    public uint SipiVector;
    public uint Flags;
    public KvmVcpuEventsSmi Smi;
    public KvmVcpuEventsTripleFault TripleFault;
    public InlineBuffer26<byte> Reserved;
    public byte ExceptionHasPayload;
    public ulong ExceptionPayload;
}

/// <summary><c>kvm_sync_regs</c>. The registers that KVM shares through the run page.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSyncRegs
{
    public KvmRegs Regs;
    public KvmSregs Sregs;
    public KvmVcpuEvents Events;
}

/// <summary><c>kvm_interrupt</c>. The vector to inject with KVM_INTERRUPT.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmInterrupt
{
    public uint Irq;
}

/// <summary><c>kvm_guest_debug_arch</c>. The debug registers that the debugger wants in force.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmGuestDebugArch
{
    public InlineBuffer8<ulong> Debugreg;
}

/// <summary><c>kvm_guest_debug</c>. What KVM_SET_GUEST_DEBUG arms.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmGuestDebug
{
    public uint Control;
    public uint Pad;
    public KvmGuestDebugArch Arch;
}

/// <summary><c>kvm_translation</c>. A guest-linear address and what the guest's paging makes of it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmTranslation
{
    public ulong LinearAddress;
    public ulong PhysicalAddress;
    public byte Valid;
    public byte Writeable;
    public byte Usermode;
    public InlineBuffer5<byte> Pad;
}

/// <summary><c>kvm_tpr_access_ctl</c>. Switches the reporting of task-priority accesses.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmTprAccessCtl
{
    public uint Enabled;
    public uint Flags;
    public InlineBuffer8<uint> Reserved;
}

/// <summary><c>kvm_vapic_addr</c>. The guest-physical address of the virtual-APIC page.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVapicAddr
{
    public ulong Addr;
}

/// <summary><c>kvm_x86_mce</c>. A machine-check event to inject.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmX86Mce
{
    public ulong Status;
    public ulong Addr;
    public ulong Misc;
    public ulong McgStatus;
    public byte Bank;
    public InlineBuffer7<byte> Pad1;
    public InlineBuffer3<ulong> Pad2;
}

/// <summary><c>kvm_signal_mask</c>. The length in front of a kernel signal set.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSignalMask
{
    public uint Len;
}

/// <summary><c>kvm_vmx_nested_state_hdr.smm</c>. The system-management part of the nested VMX state.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVmxNestedStateSmm
{
    public ushort Flags;
}

/// <summary><c>kvm_vmx_nested_state_hdr</c>. The head of the nested VMX state.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmVmxNestedStateHdr
{
    public ulong VmxonPa;
    public ulong Vmcs12Pa;
    public KvmVmxNestedStateSmm Smm;
    public ushort Pad;
    public uint Flags;
    public ulong PreemptionTimerDeadline;
}

/// <summary><c>kvm_svm_nested_state_hdr</c>. The head of the nested SVM state.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSvmNestedStateHdr
{
    public ulong VmcbPa;
}

/// <summary><c>kvm_nested_state</c>. The head (128 bytes) of the nested-virtualization state; the vendor's data follow it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct KvmNestedState
{
    [FieldOffset(0)]
    public ushort Flags;

    [FieldOffset(2)]
    public ushort Format;

    [FieldOffset(4)]
    public uint Size;

    [FieldOffset(8)]
    public KvmVmxNestedStateHdr Vmx;

    [FieldOffset(8)]
    public KvmSvmNestedStateHdr Svm;

    [FieldOffset(8)]
    public InlineBuffer120<byte> Pad;
}
