// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_regs</c>. The general registers, the instruction pointer and the flags.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRegs
{
    public ulong Rax;
    public ulong Rbx;
    public ulong Rcx;
    public ulong Rdx;
    public ulong Rsi;
    public ulong Rdi;
    public ulong Rsp;
    public ulong Rbp;
    public ulong R8;
    public ulong R9;
    public ulong R10;
    public ulong R11;
    public ulong R12;
    public ulong R13;
    public ulong R14;
    public ulong R15;
    public ulong Rip;
    public ulong Rflags;
}

/// <summary><c>kvm_segment</c>. One segment register with its hidden part; the limit is in bytes, never scaled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSegment
{
    public ulong Base;
    public uint Limit;
    public ushort Selector;
    public byte Type;
    public byte Present;
    public byte Dpl;
    public byte Db;
    public byte S;
    public byte L;
    public byte G;
    public byte Avl;
    public byte Unusable;
    public byte Padding;
}

/// <summary><c>kvm_dtable</c>. A descriptor-table register (GDTR or IDTR).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDtable
{
    public ulong Base;
    public ushort Limit;
    public InlineBuffer3<ushort> Padding;
}

/// <summary><c>kvm_sregs</c>. Segment, table and control registers, EFER, the APIC base and the queued external interrupt.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSregs
{
    public KvmSegment Cs;
    public KvmSegment Ds;
    public KvmSegment Es;
    public KvmSegment Fs;
    public KvmSegment Gs;
    public KvmSegment Ss;
    public KvmSegment Tr;
    public KvmSegment Ldt;
    public KvmDtable Gdt;
    public KvmDtable Idt;
    public ulong Cr0;
    public ulong Cr2;
    public ulong Cr3;
    public ulong Cr4;
    public ulong Cr8;
    public ulong Efer;
    public ulong ApicBase;
    public InlineBuffer4<ulong> InterruptBitmap;
}

/// <summary><c>kvm_sregs2</c>. The form of kvm_sregs that carries the PDPTRs instead of the interrupt bitmap.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSregs2
{
    public KvmSegment Cs;
    public KvmSegment Ds;
    public KvmSegment Es;
    public KvmSegment Fs;
    public KvmSegment Gs;
    public KvmSegment Ss;
    public KvmSegment Tr;
    public KvmSegment Ldt;
    public KvmDtable Gdt;
    public KvmDtable Idt;
    public ulong Cr0;
    public ulong Cr2;
    public ulong Cr3;
    public ulong Cr4;
    public ulong Cr8;
    public ulong Efer;
    public ulong ApicBase;
    public ulong Flags;
    public InlineBuffer4<ulong> Pdptrs;
}

/// <summary><c>kvm_debugregs</c>. The debug registers DR0 to DR3, DR6 and DR7.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDebugregs
{
    public InlineBuffer4<ulong> Db;
    public ulong Dr6;
    public ulong Dr7;
    public ulong Flags;
    public InlineBuffer9<ulong> Reserved;
}

/// <summary><c>kvm_one_reg</c>. One register of the ONE_REG interface: its identifier and the address of its value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmOneReg
{
    public ulong Id;
    public ulong Addr;
}

/// <summary><c>kvm_reg_list</c>. The count in front of a list of register identifiers.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRegList
{
    public ulong N;
}
