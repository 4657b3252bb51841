// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_run</c>. The head of the run page: what KVM and the monitor tell each other about a vCPU.</summary>
[StructLayout(LayoutKind.Explicit, Size = 2352)]
internal struct KvmRun
{
    [FieldOffset(0)]
    public byte RequestInterruptWindow;

    [FieldOffset(1)]
    public byte ImmediateExit;

    [FieldOffset(2)]
    public InlineBuffer6<byte> Padding1;

    [FieldOffset(8)]
    public uint ExitReason;

    [FieldOffset(12)]
    public byte ReadyForInterruptInjection;

    [FieldOffset(13)]
    public byte IfFlag;

    [FieldOffset(14)]
    public ushort Flags;

    [FieldOffset(16)]
    public ulong Cr8;

    [FieldOffset(24)]
    public ulong ApicBase;

    [FieldOffset(32)]
    public KvmRunHw Hw;

    [FieldOffset(32)]
    public KvmRunFailEntry FailEntry;

    [FieldOffset(32)]
    public KvmRunEx Ex;

    [FieldOffset(32)]
    public KvmRunIo Io;

    [FieldOffset(32)]
    public KvmDebugExitArch Debug;

    [FieldOffset(32)]
    public KvmRunMmio Mmio;

    [FieldOffset(32)]
    public KvmRunHypercall Hypercall;

    [FieldOffset(32)]
    public KvmRunTprAccess TprAccess;

    [FieldOffset(32)]
    public KvmRunInternal InternalError;

    [FieldOffset(32)]
    public KvmRunEmulationFailure EmulationFailure;

    [FieldOffset(32)]
    public KvmRunSystemEvent SystemEvent;

    [FieldOffset(32)]
    public KvmRunEoi Eoi;

    [FieldOffset(32)]
    public KvmHypervExit Hyperv;

    [FieldOffset(32)]
    public KvmRunMsr Msr;

    [FieldOffset(32)]
    public KvmXenExit Xen;

    [FieldOffset(32)]
    public KvmRunNotify Notify;

    [FieldOffset(32)]
    public KvmRunMemoryFault MemoryFault;

    [FieldOffset(32)]
    public KvmRunTdx Tdx;

    [FieldOffset(32)]
    public InlineBuffer256<byte> ExitPayload;

    [FieldOffset(288)]
    public ulong ValidRegs;

    [FieldOffset(296)]
    public ulong DirtyRegs;

    [FieldOffset(304)]
    public KvmSyncRegs SyncRegs;

    [FieldOffset(304)]
    public InlineBuffer2048<byte> SyncArea;
}
