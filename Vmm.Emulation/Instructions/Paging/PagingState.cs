// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Paging;

/// <summary>The registers that a page walk depends on. A value: take it once, walk with it.</summary>
public readonly struct PagingState
{
    private const ulong Cr0WriteProtect = 1UL << 16;
    private const ulong Cr0Paging = 1UL << 31;
    private const ulong Cr4Pse = 1UL << 4;
    private const ulong Cr4Pae = 1UL << 5;
    private const ulong Cr4Pge = 1UL << 7;
    private const ulong Cr4La57 = 1UL << 12;
    private const ulong Cr4Smep = 1UL << 20;
    private const ulong Cr4Smap = 1UL << 21;
    private const ulong Cr4Pke = 1UL << 22;
    private const ulong EferLma = 1UL << 10;
    private const ulong EferNxe = 1UL << 11;
    private const ulong RflagsAc = 1UL << 18;

    /// <summary>Takes the state from registers as MOV, RDMSR, PUSHF and RDPKRU would show them.</summary>
    /// <param name="cr0">CR0.</param>
    /// <param name="cr3">CR3.</param>
    /// <param name="cr4">CR4.</param>
    /// <param name="efer">IA32_EFER.</param>
    /// <param name="rflags">RFLAGS, for AC.</param>
    /// <param name="pkru">PKRU.</param>
    /// <param name="physicalAddressBits">MAXPHYADDR, 32 to 52; others are brought into that range.</param>
    /// <param name="gigabytePages">Whether CPUID promises pages of 1 GiB; without it the bit that asks for one is reserved.</param>
    public PagingState(ulong cr0, ulong cr3, ulong cr4, ulong efer, ulong rflags, uint pkru, int physicalAddressBits, bool gigabytePages = true)
    {
        Cr3 = cr3;
        Mode = (cr0 & Cr0Paging) == 0 ? PagingMode.Flat
            : (cr4 & Cr4Pae) == 0 ? PagingMode.Bits32
            : (efer & EferLma) == 0 ? PagingMode.Pae
            : (cr4 & Cr4La57) != 0 ? PagingMode.FiveLevel : PagingMode.FourLevel;
        WriteProtect = (cr0 & Cr0WriteProtect) != 0;
        LargePages32 = (cr4 & Cr4Pse) != 0;
        GlobalPages = (cr4 & Cr4Pge) != 0;
        NoExecute = (efer & EferNxe) != 0 && (cr4 & Cr4Pae) != 0;
        Smep = (cr4 & Cr4Smep) != 0;
        Smap = (cr4 & Cr4Smap) != 0;
        AlignmentCheck = (rflags & RflagsAc) != 0;
        ProtectionKeys = (cr4 & Cr4Pke) != 0 && Mode >= PagingMode.FourLevel;
        Pkru = pkru;
        GigabytePages = gigabytePages;
        PhysicalAddressBits = (byte)Math.Clamp(physicalAddressBits, 32, 52);
    }

    /// <summary>The kind of paging.</summary>
    public PagingMode Mode { get; }

    internal ulong Cr3 { get; }

    internal bool WriteProtect { get; }

    internal bool LargePages32 { get; }

    internal bool GlobalPages { get; }

    internal bool NoExecute { get; }

    internal bool Smep { get; }

    internal bool Smap { get; }

    internal bool AlignmentCheck { get; }

    internal bool ProtectionKeys { get; }

    internal uint Pkru { get; }

    internal bool GigabytePages { get; }

    internal byte PhysicalAddressBits { get; }
}
