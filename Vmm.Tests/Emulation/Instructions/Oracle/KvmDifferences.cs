// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// What KVM does otherwise than the manual. Its in-kernel emulator executes whatever the host does not run natively: kernel mode and
/// 16- and 32-bit code on a host that runs user mode only, and there also user-mode instructions that fault.
/// </summary>
internal static class KvmDifferences
{
    private const int StackFault = 12;
    private const int GeneralProtection = 13;
    private const int PageFault = 14;
    private const int AlignmentCheck = 17;
    private const int Undefined = 6;
    private const int StackPointer = 4;

    /// <summary>Why the ends differ, or null if they should not.</summary>
    internal static string? Reason(in OracleEnd end, bool interpretsFaults) =>
        end.Mode == OracleMode.User64 ? UserReason(in end, interpretsFaults) : interpretsFaults ? KernelReason(in end) : null;

    private static string? KernelReason(in OracleEnd end)
    {
        int ours = OracleEnd.Vector(end.Ours);
        int theirs = OracleEnd.Vector(end.Theirs);
        Instruction instruction = end.Instruction;
        Operation operation = instruction.Operation;
        if (theirs == Undefined && ours != Undefined)
        {
            return "KVM's emulator lacks the instruction, or counts REX.R for a segment register (volume 2, section 2.2.1.2)";
        }

        if (end.Mode == OracleMode.Protected16 && (ours >= 0 || theirs >= 0))
        {
            return "the host delivers exceptions in 16-bit protected mode with the stack's base 0 (volume 3, section 7.12.1)";
        }

        if (ours == 1 && theirs < 0)
        {
            return "KVM's emulator loses the single-step trap of some instructions (volume 3, section 19.3.1.4)";
        }

        if (ours == 1 && theirs == 1 && operation is >= Operation.Movs and <= Operation.Scas)
        {
            return "KVM's emulator steps over several elements (volume 3, section 19.3.1.4)";
        }

        bool loadsStack = operation is Operation.PopSreg or Operation.MovSreg;
        bool interrupts = operation is Operation.Int or Operation.Int3 or Operation.Into;
        if (theirs == 1 && (loadsStack || interrupts))
        {
            return "KVM's emulator traps behind loads of SS and software interrupts (volume 3, sections 7.8.3 and 19.3.1.4)";
        }

        if (ours is StackFault or GeneralProtection && theirs is StackFault or GeneralProtection && ours != theirs)
        {
            return "KVM's emulator heeds segment prefixes in 64-bit mode (volume 1, section 3.3.7.1)";
        }

        if (end.Mode == OracleMode.Real && ours >= 0 && end.StackAfter >> 16 != 0)
        {
            return "KVM clears bits 16 to 31 of ESP when it delivers in real mode (volume 2, INT n)";
        }

        if (ours == PageFault && theirs == PageFault)
        {
            return "KVM's emulator writes to the first page before it looks at the second (volume 3, section 5.7)";
        }

        return operation switch
        {
            Operation.Lzcnt or Operation.Tzcnt => "KVM's emulator executes BSR and BSF (volume 2, LZCNT and TZCNT)",
            Operation.Cmpxchg when !instruction.HasMemoryOperand => "KVM's emulator writes a destination that keeps its value (volume 2, CMPXCHG)",
            Operation.Aam or Operation.Aad => "KVM's emulator takes SF and ZF of more than AL (volume 2, AAM and AAD)",
            Operation.Enter => "KVM's emulator pushes by the stack's size and does not look at the new top (volume 2, ENTER)",
            Operation.PushSreg => "KVM's emulator writes the whole slot; processors write the selector (volume 2, PUSH)",
            Operation.Sldt or Operation.Str or Operation.MovSreg when instruction.HasMemoryOperand => "KVM's emulator writes more than 16 bits (volume 2, MOV, SLDT and STR)",
            Operation.Fxsave => "KVM's emulator writes the reserved bytes 416 to 463 (volume 1, section 10.5.1)",
            Operation.Movbe when theirs < 0 && instruction is { HasMemoryOperand: true, Base: StackPointer } =>
                "KVM's emulator has no MOVBE for a guest that is not shown it, and RSP, the operand's base, takes no frame of #UD (volume 2, MOVBE)",
            Operation.Pause => "KVM's emulator executes XCHG for F3 REX.B 90 (volume 2, PAUSE)",
            Operation.ReservedNop or Operation.Cldemote => "KVM's emulator does not decode ModRM (volume 2, appendix A, table A-3)",
            Operation.Sysret => "the host returns by itself, with its own flags",
            Operation.Sysexit when ours == Undefined => "KVM's emulator has SYSEXIT in long mode whoever made the processor (AMD, volume 3, SYSEXIT)",
            Operation.Ltr or Operation.Iret when ours == GeneralProtection => "KVM's emulator leaves the selector out of the error code (volume 2, LTR and IRET)",
            Operation.CallFar when ours == GeneralProtection => "KVM's emulator pushes before it checks the target (volume 2, CALL)",
            Operation.MovCr when ours == GeneralProtection => "KVM's emulator ignores bits 32 to 63 of CR0 (volume 2, MOV to control registers)",
            _ => null,
        };
    }

    private static string? UserReason(in OracleEnd end, bool interpretsFaults)
    {
        int ours = OracleEnd.Vector(end.Ours);
        int theirs = OracleEnd.Vector(end.Theirs);
        Operation operation = end.Instruction.Operation;
        if (operation is Operation.Cmps or Operation.Movs && ours >= StackFault && theirs >= StackFault)
        {
            return "two operands fault, and their order is the processor's (volume 3, table 7-2, class 8)";
        }

        if (operation is Operation.Cmps or Operation.Scas && ours == 1 && theirs == 1)
        {
            return "flags of a repeated comparison are final at its end only (volume 2, REP)";
        }

        if (operation is Operation.Fxsave or Operation.Fxrstor or >= Operation.Xsave and <= Operation.Xrstors && ours == GeneralProtection && theirs == AlignmentCheck)
        {
            return "a misaligned area may be #AC instead of #GP (volume 2, FXSAVE and XRSTOR)";
        }

        if (!interpretsFaults)
        {
            return null;
        }

        bool isProtection = ours is GeneralProtection or StackFault;
        return theirs == Undefined && (isProtection || !IsCanonical(end.StackPointer)) ? "interpreted, and KVM's emulator lacks the instruction"
            : !IsCanonical(end.StackPointer) ? "interpreted for its stack pointer, without alignment checks (volume 3, section 7.15)"
            : isProtection && operation == Operation.Call ? "KVM's emulator pushes before it checks the target (volume 2, CALL)"
            : isProtection && theirs == PageFault ? "KVM's emulator walks pages for a non-canonical operand (volume 1, section 3.3.7.1)"
            : isProtection && theirs == StackFault ? "KVM's emulator heeds an SS prefix in 64-bit mode (volume 1, section 3.3.7.1)"
            : null;
    }

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;
}
