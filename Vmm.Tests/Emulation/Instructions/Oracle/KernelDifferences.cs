// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Frozen;
using Vmm.Emulation.Instructions.Decoding;
using static Vmm.Tests.Emulation.Instructions.Oracle.KvmDifferences;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>What KVM's emulator does otherwise at CPL 0 and outside 64-bit mode.</summary>
internal static class KernelDifferences
{
    private const int ControlRegister4 = 4;

    /// <summary>KVM's emulator raises #UD for them when the guest is not shown the feature, though the processor has it.</summary>
    private static readonly FrozenSet<Operation> s_needsCpuid = FrozenSet.Create(Operation.Movbe, Operation.Rdpid);

    /// <summary>
    /// What a host that runs user mode only executes by itself, beside KVM's emulator: it forgets the single-step trap, and knows neither the
    /// bases of FS and GS nor prefix 67 nor R12 as an index.
    /// </summary>
    private static readonly FrozenSet<Operation> s_byHost = FrozenSet.Create(
        Operation.Cldemote, Operation.Endbr32, Operation.Endbr64, Operation.ReservedNop, Operation.Fxrstor, Operation.Fxsave, Operation.Hlt,
        Operation.Lfence, Operation.Mfence, Operation.Sfence, Operation.Rdfsbase, Operation.Rdgsbase, Operation.Wrfsbase, Operation.Wrgsbase);

    internal static KnownDifference[] All { get; } =
    [
        new("KVM's emulator lacks the instruction for a guest that is not shown it (volume 2, MOVBE and RDPID)",
            static e => e.Theirs == Undefined && s_needsCpuid.Contains(e.Operation)),
        new("KVM's emulator lacks the instruction for a guest that is not shown it, and RSP takes no frame of #UD (volume 2, MOVBE)",
            static e => e is { Operation: Operation.Movbe, Aspect: OracleAspect.Exit, Theirs: < 0, Instruction: { HasMemoryOperand: true, Base: OracleEnd.StackPointer } }),
        new("KVM's emulator counts REX.R for a segment register (volume 2, REX prefix fields)",
            static e => e is { Operation: Operation.MovSreg, Theirs: Undefined } && (e.Rex & 4) != 0),
        new("KVM delivers exceptions in 16-bit protected mode with all of ESP, where this is no memory (volume 3, exception and interrupt handling in protected mode)",
            static e => e is { Mode: OracleMode.Protected16, Ours: >= 0, Aspect: OracleAspect.Exit } && e.StackAfter >> 16 != 0),
        new("the host executes it by itself, and forgets the single-step trap (volume 3, single-step exception)",
            static e => e.IsStepped && e.Theirs != Debug && s_byHost.Contains(e.Operation)),
        new("the host executes it by itself, without the bases of FS and GS, prefix 67 and R12 as an index, and meets addresses that are not "
            + "canonical as pages that are not there (volume 1, section 3.3.7)",
            static e => e.Operation is Operation.Fxsave or Operation.Fxrstor && IsAddressedOtherwise(e)),
        new("the host executes it by itself, and takes its ModRM for that of 32-bit addressing (volume 2, addressing-mode encoding of ModRM)",
            static e => e.Operation is Operation.ReservedNop or Operation.Cldemote && e.Instruction.AddressSize == 2),
        new("KVM's emulator has no INT n in protected mode, and some vectors the host executes by itself: 17H and 19H raise #GP, 1AH and 1BH "
            + "do nothing (volume 2, INT n)",
            static e => e is { Operation: Operation.Int, Mode: not OracleMode.Real, Instruction.Immediate: 0x17 or 0x19 or 0x1A or 0x1B }),
        new("KVM's emulator traps behind software interrupts (volume 3, single-step exception)",
            static e => e.Theirs == Debug && e.Operation is Operation.Int or Operation.Int3 or Operation.Into),
        new("KVM's emulator traps behind loads of SS (volume 3, interrupts when switching stacks)",
            static e => e.Theirs == Debug && e.Operation is Operation.PopSreg or Operation.MovSreg),
        new("KVM's emulator heeds segment prefixes in 64-bit mode, the last one (volume 1, section 3.3.7.1)",
            static e => e.Mode == OracleMode.Kernel64 && e.HasLateSegmentPrefix),
        new("KVM's emulator looks at the first byte of an operand that leaves the canonical addresses (volume 1, section 3.3.7.1)",
            static e => e is { Ours: GeneralProtection, Theirs: PageFault, OperandAddress: < 0x0000_8000_0000_0000 and > 0x0000_7FFF_FFFF_0000 }),
        new("KVM clears bits 16 to 31 of ESP when it delivers in real mode (volume 2, INT n)",
            static e => e is { Mode: OracleMode.Real, Aspect: OracleAspect.Register, Ours: >= 0 } && e.StackAfter >> 16 != 0),
        new("KVM's emulator delivers the trap behind LIDT through the table of before, whatever the new limit (volume 2, LIDT)",
            static e => e is { Mode: OracleMode.Real, Operation: Operation.Lidt, Theirs: Debug, IsStepped: true }),
        new("KVM's emulator executes BSR and BSF (volume 2, LZCNT and TZCNT)",
            static e => e.Operation is Operation.Lzcnt or Operation.Tzcnt && e.Aspect is OracleAspect.Register or OracleAspect.Flags or OracleAspect.Exit),
        new("KVM's emulator takes SF and ZF of more than AL (volume 2, AAM and AAD)",
            static e => e.Operation is Operation.Aam or Operation.Aad && e.Aspect is OracleAspect.Flags),
        new("KVM's emulator pushes by the stack's size and does not look at the new top (volume 2, ENTER)",
            static e => e.Operation == Operation.Enter && (e.Ours == PageFault || e.Aspect == OracleAspect.Register)),
        new("KVM's emulator writes the whole slot; processors write the selector (volume 2, PUSH)",
            static e => e is { Operation: Operation.PushSreg, Aspect: OracleAspect.Memory }),
        new("KVM's emulator reads two bytes of the slot (volume 2, POP)", static e => e is { Operation: Operation.PopSreg, Ours: PageFault, Theirs: not PageFault }),
        new("KVM's emulator writes more than 16 bits (volume 2, MOV, SLDT and STR)",
            static e => e.Operation is Operation.Sldt or Operation.Str or Operation.MovSreg && e.Instruction.HasMemoryOperand
                && (e.Aspect is OracleAspect.Memory or OracleAspect.Exit || e.Theirs == PageFault)),
        new("KVM's emulator writes the reserved bytes 416 to 463 (volume 1, section 10.5.1)",
            static e => e is { Operation: Operation.Fxsave, Aspect: OracleAspect.Memory }),
        new("KVM's emulator reads 32 bits for a source of 16, as AMD's processors do (volume 2, MOVSX/MOVSXD)",
            static e => !HostCpu.IsAmd && e is { Operation: Operation.Movsxd, Instruction.OperandSize: 2, Ours: not PageFault, Theirs: PageFault }),
        new("the host returns by itself, with its own flags and checks (volume 2, SYSRET)", static e => e.Operation == Operation.Sysret),
        new("KVM's emulator has SYSEXIT in long mode whoever made the processor (AMD, volume 3, SYSEXIT)",
            static e => HostCpu.IsAmd && e is { Operation: Operation.Sysexit, Ours: Undefined }),
        new("the host returns by itself, and reads the frame in another order (volume 2, IRET)",
            static e => e is { Operation: Operation.Iret, Ours: PageFault, Theirs: GeneralProtection }),
        new("KVM's emulator leaves the selector out of the error code (volume 2, LTR and IRET)",
            static e => e.Operation is Operation.Ltr or Operation.Iret && e is { Ours: GeneralProtection, Theirs: GeneralProtection, Aspect: OracleAspect.Memory }),
        new("KVM's emulator pushes before it checks the target (volume 2, CALL)",
            static e => e is { Operation: Operation.CallFar, Ours: GeneralProtection, Theirs: GeneralProtection, Aspect: OracleAspect.Memory }),
        new("KVM's emulator ignores bits 32 to 63 of CR0 (volume 2, MOV to control registers)",
            static e => e is { Operation: Operation.MovCr, Ours: GeneralProtection, Instruction.Reg: 0 } && e.Registers[e.Instruction.Rm] >> 32 != 0),
        new("KVM refuses what it does not offer to a guest, UMIP and 57-bit addresses for two (volume 2, MOV to control registers)",
            static e => e is { Operation: Operation.MovCr, Theirs: GeneralProtection, Instruction.Reg: ControlRegister4 }
                && (e.Registers[e.Instruction.Rm] & e.RefusedControls) != 0),
        new("KVM's emulator writes to the first page before it looks at the second (volume 3, page-fault exceptions)",
            static e => e is { Ours: PageFault, Theirs: PageFault, Aspect: OracleAspect.Memory }
                && (e.MayCrossPage || e.Operation is >= Operation.Movs and <= Operation.Scas)),
    ];

    internal static bool IsAddressedOtherwise(OracleEnd e)
        => e.Instruction.Segment >= 4 || e.Instruction.Index == 12 || e.Instruction.AddressSize != (e.Mode.Is64() ? 8 : 4) || !OracleEnd.IsCanonical(e.OperandAddress);
}
