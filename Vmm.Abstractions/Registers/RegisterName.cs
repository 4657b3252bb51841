// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>
/// The registers of a vCPU, numbered as bhyve's <c>vm_reg_name</c>. The numbers are not x86's encoding order; see
/// <see cref="SegmentEncoding"/> and <see cref="GeneralRegisterEncoding"/> for that.
/// </summary>
public enum RegisterName
{
    /// <summary>RAX.</summary>
    Rax = 0,

    /// <summary>RBX.</summary>
    Rbx = 1,

    /// <summary>RCX.</summary>
    Rcx = 2,

    /// <summary>RDX.</summary>
    Rdx = 3,

    /// <summary>RSI.</summary>
    Rsi = 4,

    /// <summary>RDI.</summary>
    Rdi = 5,

    /// <summary>RBP.</summary>
    Rbp = 6,

    /// <summary>R8.</summary>
    R8 = 7,

    /// <summary>R9.</summary>
    R9 = 8,

    /// <summary>R10.</summary>
    R10 = 9,

    /// <summary>R11.</summary>
    R11 = 10,

    /// <summary>R12.</summary>
    R12 = 11,

    /// <summary>R13.</summary>
    R13 = 12,

    /// <summary>R14.</summary>
    R14 = 13,

    /// <summary>R15.</summary>
    R15 = 14,

    /// <summary>CR0.</summary>
    Cr0 = 15,

    /// <summary>CR3.</summary>
    Cr3 = 16,

    /// <summary>CR4.</summary>
    Cr4 = 17,

    /// <summary>DR7.</summary>
    Dr7 = 18,

    /// <summary>RSP.</summary>
    Rsp = 19,

    /// <summary>RIP.</summary>
    Rip = 20,

    /// <summary>RFLAGS.</summary>
    Rflags = 21,

    /// <summary>The ES selector.</summary>
    Es = 22,

    /// <summary>The CS selector.</summary>
    Cs = 23,

    /// <summary>The SS selector.</summary>
    Ss = 24,

    /// <summary>The DS selector.</summary>
    Ds = 25,

    /// <summary>The FS selector.</summary>
    Fs = 26,

    /// <summary>The GS selector.</summary>
    Gs = 27,

    /// <summary>The LDTR selector.</summary>
    Ldtr = 28,

    /// <summary>The TR selector.</summary>
    Tr = 29,

    /// <summary>IDTR: a descriptor only, never a selector.</summary>
    Idtr = 30,

    /// <summary>GDTR: a descriptor only, never a selector.</summary>
    Gdtr = 31,

    /// <summary>The EFER MSR.</summary>
    Efer = 32,

    /// <summary>CR2.</summary>
    Cr2 = 33,

    /// <summary>The first PAE page-directory pointer.</summary>
    Pdpte0 = 34,

    /// <summary>The second PAE page-directory pointer.</summary>
    Pdpte1 = 35,

    /// <summary>The third PAE page-directory pointer.</summary>
    Pdpte2 = 36,

    /// <summary>The fourth PAE page-directory pointer.</summary>
    Pdpte3 = 37,

    /// <summary>1 while interrupts wait for the instruction after STI or MOV SS, else 0.</summary>
    InterruptShadow = 38,

    /// <summary>DR0.</summary>
    Dr0 = 39,

    /// <summary>DR1.</summary>
    Dr1 = 40,

    /// <summary>DR2.</summary>
    Dr2 = 41,

    /// <summary>DR3.</summary>
    Dr3 = 42,

    /// <summary>DR6.</summary>
    Dr6 = 43,

    /// <summary>The length of the instruction that an injected software event stands for.</summary>
    EntryInstructionLength = 44,

    /// <summary>XCR0.</summary>
    Xcr0 = 45,
}
