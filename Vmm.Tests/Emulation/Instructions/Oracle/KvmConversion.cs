// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Between the executor's registers and KVM's.</summary>
internal static class KvmConversion
{
    internal static void ToRegisters(CpuState state, out KvmRegs registers)
    {
        ref GeneralRegisters general = ref state.General;
        registers = new()
        {
            Rax = general[0],
            Rcx = general[1],
            Rdx = general[2],
            Rbx = general[3],
            Rsp = general[4],
            Rbp = general[5],
            Rsi = general[6],
            Rdi = general[7],
            R8 = general[8],
            R9 = general[9],
            R10 = general[10],
            R11 = general[11],
            R12 = general[12],
            R13 = general[13],
            R14 = general[14],
            R15 = general[15],
            Rip = state.Rip,
            Rflags = state.Rflags,
        };
    }

    /// <summary>The general registers in the order of their encoding.</summary>
    internal static void General(in KvmRegs registers, Span<ulong> general)
    {
        ReadOnlySpan<ulong> values =
        [
            registers.Rax, registers.Rcx, registers.Rdx, registers.Rbx, registers.Rsp, registers.Rbp, registers.Rsi, registers.Rdi,
            registers.R8, registers.R9, registers.R10, registers.R11, registers.R12, registers.R13, registers.R14, registers.R15,
        ];
        values.CopyTo(general);
    }

    /// <param name="state">The state to enter.</param>
    /// <param name="registers">Receives the registers.</param>
    /// <param name="present">Where the APIC base comes from.</param>
    internal static void ToSystemRegisters(CpuState state, ref KvmSregs registers, in KvmSregs present)
    {
        ref SegmentRegisters segments = ref state.Segments;
        registers = new()
        {
            Es = ToSegment(segments[0]),
            Cs = ToSegment(segments[1]),
            Ss = ToSegment(segments[2]),
            Ds = ToSegment(segments[3]),
            Fs = ToSegment(segments[4]),
            Gs = ToSegment(segments[5]),
            Ldt = ToSegment(segments[6]),
            Tr = ToSegment(segments[7]),
            Gdt = new() { Base = state.Gdtr.Base, Limit = state.Gdtr.Limit },
            Idt = new() { Base = state.Idtr.Base, Limit = state.Idtr.Limit },
            Cr0 = state.Cr0,
            Cr2 = state.Cr2,
            Cr3 = state.Cr3,
            Cr4 = state.Cr4,
            Cr8 = state.Cr8,
            Efer = state.Efer,
            ApicBase = present.ApicBase,
        };
    }

    /// <summary>The segments of the encoding's order, LDTR and TR.</summary>
    internal static SegmentState[] Segments(in KvmSregs registers) =>
    [
        FromSegment(registers.Es), FromSegment(registers.Cs), FromSegment(registers.Ss), FromSegment(registers.Ds),
        FromSegment(registers.Fs), FromSegment(registers.Gs), FromSegment(registers.Ldt), FromSegment(registers.Tr),
    ];

    private static KvmSegment ToSegment(in SegmentState segment) => new()
    {
        Base = segment.Base,
        Limit = segment.Limit,
        Selector = segment.Selector,
        Type = (byte)(segment.Access & 15),
        S = (byte)(segment.Access >> 4 & 1),
        Dpl = (byte)(segment.Access >> 5 & 3),
        Present = (byte)(segment.Access >> 7 & 1),
        Avl = (byte)(segment.Access >> 12 & 1),
        L = (byte)(segment.Access >> 13 & 1),
        Db = (byte)(segment.Access >> 14 & 1),
        G = (byte)(segment.Access >> 15 & 1),
        Unusable = (byte)(segment.Access >> 16 & 1),
    };

    private static SegmentState FromSegment(in KvmSegment segment) => new()
    {
        Base = segment.Base,
        Limit = segment.Limit,
        Selector = segment.Selector,
        Access = (uint)(segment.Type | segment.S << 4 | segment.Dpl << 5 | segment.Present << 7 | segment.Avl << 12 | segment.L << 13
            | segment.Db << 14 | segment.G << 15 | segment.Unusable << 16),
    };
}
