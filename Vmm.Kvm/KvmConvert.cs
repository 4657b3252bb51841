// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Registers;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>Translates between KVM's structures and the contracts' values.</summary>
internal static class KvmConvert
{
    public static CpuidEntry ToEntry(KvmCpuidEntry2 entry) => new(
        entry.Function,
        entry.Index,
        ((KvmCpuidFlags)entry.Flags).HasFlag(KvmCpuidFlags.SignificantIndex),
        entry.Eax,
        entry.Ebx,
        entry.Ecx,
        entry.Edx);

    public static KvmCpuidEntry2 FromEntry(in CpuidEntry entry) => new()
    {
        Function = entry.Function,
        Index = entry.Index,
        Flags = (uint)(entry.MatchIndex ? KvmCpuidFlags.SignificantIndex : KvmCpuidFlags.None),
        Eax = entry.Eax,
        Ebx = entry.Ebx,
        Ecx = entry.Ecx,
        Edx = entry.Edx,
    };

    public static SegmentDescriptor ToDescriptor(in KvmSegment segment)
    {
        uint access = (uint)(segment.Type & 0xf)
            | ((uint)(segment.S & 1) << 4)
            | ((uint)(segment.Dpl & 3) << 5)
            | ((uint)(segment.Present & 1) << 7)
            | ((uint)(segment.Avl & 1) << 12)
            | ((uint)(segment.L & 1) << 13)
            | ((uint)(segment.Db & 1) << 14)
            | ((uint)(segment.G & 1) << 15)
            | ((uint)(segment.Unusable & 1) << 16);
        return new SegmentDescriptor(segment.Base, segment.Limit, new SegmentAccess(access));
    }

    /// <summary>Replaces the hidden part of a segment; the selector stays.</summary>
    public static void SetDescriptor(ref KvmSegment segment, in SegmentDescriptor descriptor)
    {
        SegmentAccess access = descriptor.Access;
        segment.Base = descriptor.Base;
        segment.Limit = descriptor.Limit;
        segment.Type = (byte)(access.Value & 0xf);
        segment.S = Bit(access.IsCodeOrData);
        segment.Dpl = (byte)access.Dpl;
        segment.Present = Bit(access.IsPresent && !access.IsUnusable);
        segment.Avl = Bit(access.Available);
        segment.L = Bit(access.IsLong);
        segment.Db = Bit(access.IsDefault32);
        segment.G = Bit(access.IsPageGranular);
        segment.Unusable = Bit(access.IsUnusable);
    }

    public static GeneralRegisters ToRegisters(in KvmRegs regs) => new()
    {
        Rax = regs.Rax,
        Rbx = regs.Rbx,
        Rcx = regs.Rcx,
        Rdx = regs.Rdx,
        Rsi = regs.Rsi,
        Rdi = regs.Rdi,
        Rsp = regs.Rsp,
        Rbp = regs.Rbp,
        R8 = regs.R8,
        R9 = regs.R9,
        R10 = regs.R10,
        R11 = regs.R11,
        R12 = regs.R12,
        R13 = regs.R13,
        R14 = regs.R14,
        R15 = regs.R15,
        Rip = regs.Rip,
        Rflags = regs.Rflags,
    };

    public static KvmRegs FromRegisters(in GeneralRegisters registers) => new()
    {
        Rax = registers.Rax,
        Rbx = registers.Rbx,
        Rcx = registers.Rcx,
        Rdx = registers.Rdx,
        Rsi = registers.Rsi,
        Rdi = registers.Rdi,
        Rsp = registers.Rsp,
        Rbp = registers.Rbp,
        R8 = registers.R8,
        R9 = registers.R9,
        R10 = registers.R10,
        R11 = registers.R11,
        R12 = registers.R12,
        R13 = registers.R13,
        R14 = registers.R14,
        R15 = registers.R15,
        Rip = registers.Rip,
        Rflags = registers.Rflags,
    };

    private static byte Bit(bool value) => value ? (byte)1 : (byte)0;
}
