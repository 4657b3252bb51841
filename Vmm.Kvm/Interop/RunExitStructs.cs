// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_run.hw</c>. Payload of KVM_EXIT_UNKNOWN.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunHw
{
    public ulong HardwareExitReason;
}

/// <summary><c>kvm_run.fail_entry</c>. Payload of KVM_EXIT_FAIL_ENTRY.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunFailEntry
{
    public ulong HardwareEntryFailureReason;
    public uint Cpu;
}

/// <summary><c>kvm_run.ex</c>. Payload of KVM_EXIT_EXCEPTION.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunEx
{
    public uint Exception;
    public uint ErrorCode;
}

/// <summary><c>kvm_run.io</c>. Payload of KVM_EXIT_IO: the data lie at an offset in the run page, size bytes for each of count accesses.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunIo
{
    public byte Direction;
    public byte Size;
    public ushort Port;
    public uint Count;
    public ulong DataOffset;
}

/// <summary><c>kvm_debug_exit_arch</c>. Payload of KVM_EXIT_DEBUG.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDebugExitArch
{
    public uint Exception;
    public uint Pad;
    public ulong Pc;
    public ulong Dr6;
    public ulong Dr7;
}

/// <summary><c>kvm_run.mmio</c>. Payload of KVM_EXIT_MMIO; at most eight bytes, larger accesses come in fragments.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunMmio
{
    public ulong PhysAddr;
    public InlineBuffer8<byte> Data;
    public uint Len;
    public byte IsWrite;
}

/// <summary><c>kvm_run.hypercall</c>. Payload of KVM_EXIT_HYPERCALL.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct KvmRunHypercall
{
    [FieldOffset(0)]
    public ulong Nr;

    [FieldOffset(8)]
    public InlineBuffer6<ulong> Args;

    [FieldOffset(56)]
    public ulong Ret;

    [FieldOffset(64)]
    public uint Longmode;

    [FieldOffset(64)]
    public ulong Flags;
}

/// <summary><c>kvm_run.tpr_access</c>. Payload of KVM_EXIT_TPR_ACCESS.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunTprAccess
{
    public ulong Rip;
    public uint IsWrite;
    public uint Pad;
}

/// <summary><c>kvm_run.internal</c>. Payload of KVM_EXIT_INTERNAL_ERROR; ndata words are valid.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunInternal
{
    public uint Suberror;
    public uint Ndata;
    public InlineBuffer16<ulong> Data;
}

/// <summary><c>kvm_run.emulation_failure</c>. The form of kvm_run.internal for KVM_INTERNAL_ERROR_EMULATION; the flags say which fields are valid.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunEmulationFailure
{
    public uint Suberror;
    public uint Ndata;
    public ulong Flags;
    public byte InsnSize;
    public InlineBuffer15<byte> InsnBytes;
}

/// <summary><c>kvm_run.system_event</c>. Payload of KVM_EXIT_SYSTEM_EVENT; ndata words are valid.</summary>
[StructLayout(LayoutKind.Explicit, Size = 136)]
internal struct KvmRunSystemEvent
{
    [FieldOffset(0)]
    public uint Type;

    [FieldOffset(4)]
    public uint Ndata;

    [FieldOffset(8)]
    public ulong Flags;

    [FieldOffset(8)]
    public InlineBuffer16<ulong> Data;
}

/// <summary><c>kvm_run.eoi</c>. Payload of KVM_EXIT_IOAPIC_EOI.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunEoi
{
    public byte Vector;
}

/// <summary><c>kvm_hyperv_exit.u.synic</c>. Payload of KVM_EXIT_HYPERV_SYNIC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmHypervExitSynic
{
    public uint Msr;
    public uint Pad2;
    public ulong Control;
    public ulong EvtPage;
    public ulong MsgPage;
}

/// <summary><c>kvm_hyperv_exit.u.hcall</c>. Payload of KVM_EXIT_HYPERV_HCALL.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmHypervExitHcall
{
    public ulong Input;
    public ulong Result;
    public InlineBuffer2<ulong> Params;
}

/// <summary><c>kvm_hyperv_exit.u.syndbg</c>. Payload of KVM_EXIT_HYPERV_SYNDBG.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmHypervExitSyndbg
{
    public uint Msr;
    public uint Pad2;
    public ulong Control;
    public ulong Status;
    public ulong SendPage;
    public ulong RecvPage;
    public ulong PendingPage;
}

/// <summary><c>kvm_hyperv_exit</c>. Payload of KVM_EXIT_HYPERV.</summary>
[StructLayout(LayoutKind.Explicit, Size = 56)]
internal struct KvmHypervExit
{
    [FieldOffset(0)]
    public uint Type;

    [FieldOffset(4)]
    public uint Pad1;

    [FieldOffset(8)]
    public KvmHypervExitSynic Synic;

    [FieldOffset(8)]
    public KvmHypervExitHcall Hcall;

    [FieldOffset(8)]
    public KvmHypervExitSyndbg Syndbg;
}

/// <summary><c>kvm_run.msr</c>. Payload of KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunMsr
{
    public byte Error;
    public InlineBuffer7<byte> Pad;
    public uint Reason;
    public uint Index;
    public ulong Data;
}

/// <summary><c>kvm_xen_exit.u.hcall</c>. Payload of KVM_EXIT_XEN_HCALL.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXenExitHcall
{
    public uint Longmode;
    public uint Cpl;
    public ulong Input;
    public ulong Result;
    public InlineBuffer6<ulong> Params;
}

/// <summary><c>kvm_xen_exit</c>. Payload of KVM_EXIT_XEN.</summary>
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal struct KvmXenExit
{
    [FieldOffset(0)]
    public uint Type;

    [FieldOffset(8)]
    public KvmXenExitHcall Hcall;
}

/// <summary><c>kvm_run.notify</c>. Payload of KVM_EXIT_NOTIFY.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunNotify
{
    public uint Flags;
}

/// <summary><c>kvm_run.memory_fault</c>. Payload of KVM_EXIT_MEMORY_FAULT.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunMemoryFault
{
    public ulong Flags;
    public ulong Gpa;
    public ulong Size;
}

/// <summary><c>kvm_run.tdx.unknown</c>. An unrecognised TDX hypercall.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunTdxUnknown
{
    public ulong Ret;
    public InlineBuffer5<ulong> Data;
}

/// <summary><c>kvm_run.tdx.get_quote</c>. The TDX hypercall GetQuote.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunTdxGetQuote
{
    public ulong Ret;
    public ulong Gpa;
    public ulong Size;
}

/// <summary><c>kvm_run.tdx.get_tdvmcall_info</c>. The TDX hypercall GetTdVmCallInfo.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunTdxGetTdvmcallInfo
{
    public ulong Ret;
    public ulong Leaf;
    public ulong R11;
    public ulong R12;
    public ulong R13;
    public ulong R14;
}

/// <summary><c>kvm_run.tdx.setup_event_notify</c>. The TDX hypercall SetupEventNotifyInterrupt.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRunTdxSetupEventNotify
{
    public ulong Ret;
    public ulong Vector;
}

/// <summary><c>kvm_run.tdx</c>. Payload of KVM_EXIT_TDX.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct KvmRunTdx
{
    [FieldOffset(0)]
    public ulong Flags;

    [FieldOffset(8)]
    public ulong Nr;

    [FieldOffset(16)]
    public KvmRunTdxUnknown Unknown;

    [FieldOffset(16)]
    public KvmRunTdxGetQuote GetQuote;

    [FieldOffset(16)]
    public KvmRunTdxGetTdvmcallInfo GetTdvmcallInfo;

    [FieldOffset(16)]
    public KvmRunTdxSetupEventNotify SetupEventNotify;
}
