// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// What KVM does otherwise than the manual. Its in-kernel emulator executes whatever the host does not run natively: kernel mode and
/// 16- and 32-bit code on a host that runs user mode only, and there also user-mode instructions that fault.
/// </summary>
internal static class KvmDifferences
{
    internal const int Debug = 1;
    internal const int Undefined = 6;
    internal const int StackFault = 12;
    internal const int GeneralProtection = 13;
    internal const int PageFault = 14;
    internal const int AlignmentCheck = 17;

    private static readonly KnownDifference s_undefinedStack = new(
        "the stack pointer is an undefined result, and the handler's frame is there (volume 2, SHLD and SHRD)",
        static e => e is { IsStepped: true, HasUndefinedResult: true, Instruction: { HasMemoryOperand: false, Rm: OracleEnd.StackPointer } });

    /// <summary>Why the ends differ, or null if they should not.</summary>
    internal static string? Reason(in OracleEnd end, bool interpretsFaults)
    {
        OracleEnd copy = end;
        bool user = end.Mode == OracleMode.User64;
        if (s_undefinedStack.Applies(copy))
        {
            return s_undefinedStack.Reason;
        }

        KnownDifference? known = user ? UserDifferences.OfProcessors.FirstOrDefault(d => d.Applies(copy)) : null;
        known ??= interpretsFaults ? (user ? UserDifferences.OfInterpreter : KernelDifferences.All).FirstOrDefault(d => d.Applies(copy)) : null;
        return known?.Reason;
    }
}
