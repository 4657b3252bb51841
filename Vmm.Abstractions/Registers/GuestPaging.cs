// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Registers;

/// <summary>What a walk from linear to guest-physical addresses depends on (<c>struct vm_guest_paging</c>).</summary>
/// <param name="Cr3">CR3.</param>
/// <param name="Cpl">The current privilege level, 0 to 3.</param>
/// <param name="CpuMode">The mode the vCPU executes in.</param>
/// <param name="PagingMode">The kind of page tables.</param>
[VmmKernelSymbol("vm_guest_paging")]
public readonly record struct GuestPaging(ulong Cr3, int Cpl, CpuMode CpuMode, PagingMode PagingMode)
{
    private const ulong Cr0ProtectionEnable = 1;
    private const ulong Cr0Paging = 1ul << 31;
    private const ulong Cr4PhysicalAddressExtension = 1ul << 5;
    private const ulong EferLongModeEnable = 1ul << 8;
    private const ulong EferLongModeActive = 1ul << 10;

    /// <summary>Derives the modes from the control registers and the code segment.</summary>
    /// <param name="cr0">CR0.</param>
    /// <param name="cr3">CR3.</param>
    /// <param name="cr4">CR4.</param>
    /// <param name="efer">EFER.</param>
    /// <param name="codeAccess">The access rights of CS.</param>
    /// <param name="cpl">The current privilege level: the DPL of SS, or what the backend reports.</param>
    /// <returns>The paging state.</returns>
    public static GuestPaging From(ulong cr0, ulong cr3, ulong cr4, ulong efer, SegmentAccess codeAccess, int cpl)
    {
        CpuMode cpuMode = (efer & EferLongModeActive) != 0
            ? (codeAccess.IsLong ? CpuMode.Long64 : CpuMode.Compatibility)
            : ((cr0 & Cr0ProtectionEnable) != 0 ? CpuMode.Protected : CpuMode.Real);
        PagingMode pagingMode = (cr0 & Cr0Paging) == 0 ? PagingMode.Flat
            : (cr4 & Cr4PhysicalAddressExtension) == 0 ? PagingMode.Legacy32
            : (efer & EferLongModeEnable) != 0 ? PagingMode.Long64
            : PagingMode.Pae;
        return new(cr3, cpl, cpuMode, pagingMode);
    }
}
