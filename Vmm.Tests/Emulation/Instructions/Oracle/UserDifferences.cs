// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Frozen;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using static Vmm.Tests.Emulation.Instructions.Oracle.KvmDifferences;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>What is otherwise in 64-bit code at CPL 3.</summary>
internal static class UserDifferences
{
    /// <summary>What KVM's emulator lacks beside the instructions on x87, SSE and AVX registers: ENTER with levels, for one.</summary>
    private static readonly FrozenSet<Operation> s_lacking = FrozenSet.Create(
        Operation.Adcx, Operation.Adox, Operation.Andn, Operation.Bextr, Operation.Blsi, Operation.Blsmsk, Operation.Blsr, Operation.Bzhi, Operation.Cldemote, Operation.Clwb,
        Operation.Cmpxchg16b, Operation.Crc32, Operation.Enter, Operation.Movbe, Operation.Mulx, Operation.Pdep, Operation.Pext, Operation.Popcnt, Operation.ReservedNop,
        Operation.Rorx, Operation.Sarx, Operation.Shlx, Operation.Shrx);

    /// <summary>What the manual leaves to processors.</summary>
    internal static KnownDifference[] OfProcessors { get; } =
    [
        new("faults of bytes that MASKMOVDQU leaves alone are the processor's choice, and the order of #AC and #PF (volume 2, MASKMOVDQU)",
            static e => e.Operation is Operation.Maskmovdqu or Operation.Vmaskmovdqu && (e.Ours == AlignmentCheck || e.Theirs == AlignmentCheck)),
        new("AMD's processors raise #UD for UD0 and UD1 without the bytes of an operand, which may be behind the end of a page (AMD, volume 3, UD0)",
            static e => HostCpu.IsAmd && e.Operation is Operation.Ud0 or Operation.Ud1 && e is { Ours: PageFault, Theirs: Undefined, Start: > OracleLayout.CodeEnd - 15 }),
    ];

    /// <summary>What KVM's emulator does otherwise when the host hands it an instruction that faults.</summary>
    internal static KnownDifference[] OfInterpreter { get; } =
    [
        new("interpreted, and KVM's emulator lacks the instruction",
            static e => e.Theirs == Undefined && (IsProtection(e) || HasWildStack(e))
                && (s_lacking.Contains(e.Operation) || (e.Instruction.Needs & StateNeeds.Extended) != 0)),
        new("interpreted for its stack pointer, and KVM's emulator decodes what it finds behind the end of a page",
            static e => HasWildStack(e) && e is { Operation: Operation.Invalid, Ours: PageFault, Theirs: Undefined, Start: > OracleLayout.CodeEnd - 15 }),
        new("interpreted for its stack pointer, and the host executes it by itself, without the bases of FS and GS, prefix 67 and R12 as an index "
            + "(volume 1, section 3.3.7)",
            static e => HasWildStack(e) && e.Operation is Operation.Fxsave or Operation.Fxrstor && KernelDifferences.IsAddressedOtherwise(e)),
        new("interpreted for its stack pointer, without alignment checks (volume 3, exception and interrupt reference)", static e => HasWildStack(e) && e.Ours == AlignmentCheck),
        new("interpreted for its stack pointer, and KVM's emulator executes BSR and BSF (volume 2, LZCNT and TZCNT)",
            static e => HasWildStack(e) && e.Operation is Operation.Lzcnt or Operation.Tzcnt && e.Aspect is OracleAspect.Register or OracleAspect.Flags),
        new("KVM's emulator pushes before it checks the target (volume 2, CALL)", static e => e.Operation == Operation.Call && IsProtection(e)),
        new("KVM's emulator walks pages for a non-canonical operand (volume 1, section 3.3.7.1)", static e => IsProtection(e) && e.Theirs == PageFault),
        new("KVM's emulator heeds an SS prefix in 64-bit mode (volume 1, section 3.3.7.1)",
            static e => IsProtection(e) && e.Theirs is StackFault or GeneralProtection && e.HasLateSegmentPrefix),
    ];

    private static bool IsProtection(OracleEnd e) => e.Ours is GeneralProtection or StackFault;

    private static bool HasWildStack(OracleEnd e) => !OracleEnd.IsCanonical(e.Registers[OracleEnd.StackPointer]);
}
