// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics.X86;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Forms that an oracle cannot show, and why; the text cases show them.</summary>
internal static class OracleExclusions
{
    /// <summary>The reason, or null when the form can be compared.</summary>
    internal static string? Reason(InstructionForm form, OracleMode mode)
    {
        if (!InstructionCoverageTests.IsExecutable(form.CodeSize, form.Sample))
        {
            return "the executor refuses it by name";
        }

        return form.Operation switch
        {
            Operation.Rdtsc or Operation.Rdtscp or Operation.Rdrand or Operation.Rdseed or Operation.Rdpmc => "its result differs every time",
            Operation.Cpuid or Operation.Rdpid or Operation.Xgetbv => "its result is the host's",
            Operation.Serialize when (X86Base.CpuId(7, 0).Edx & 1 << 14) == 0 => "the processor lacks it",
            Operation.In or Operation.Out or Operation.Ins or Operation.Outs => "it may leave the guest by another port",
            Operation.Rdmsr or Operation.Wrmsr => "the MSRs are the host's",
            Operation.Xsetbv or Operation.Swapgs or Operation.Invpcid => "its state is not compared",
            Operation.Monitor or Operation.Mwait => "it may wait",
            Operation.MovDr => "it arms breakpoints",
            _ when mode == OracleMode.User64 => UserReason(form.Operation),
            _ => null,
        };
    }

    private static string? UserReason(Operation operation) => operation switch
    {
        Operation.Int or Operation.Int1 or Operation.Int3 => "a host that runs user mode only gives #UD for INT n",
        Operation.Syscall or Operation.Sysenter or Operation.Sysexit or Operation.Sysret => "a host that runs user mode only lets it enter elsewhere",
        Operation.Sgdt or Operation.Sidt or Operation.Sldt or Operation.Str or Operation.Smsw => "on a host that runs user mode only its result is the host's",
        Operation.Lar or Operation.Lsl or Operation.Verr or Operation.Verw or Operation.MovSreg or Operation.PopSreg or Operation.Lss or Operation.Lfs
            or Operation.Lgs or Operation.JmpFar or Operation.CallFar or Operation.Retf or Operation.Iret => "on a host that runs user mode only it reads the host's descriptors",
        Operation.Lgdt or Operation.Lidt or Operation.Lldt or Operation.Ltr or Operation.Lmsw or Operation.Clts or Operation.Invlpg or Operation.Invpcid
            or Operation.MovCr or Operation.MovDr or Operation.Rdmsr or Operation.Wrmsr or Operation.Xsetbv or Operation.Swapgs or Operation.Hlt
            or Operation.Invd or Operation.Wbinvd or Operation.Wbnoinvd or Operation.Cli or Operation.Sti or Operation.Clac or Operation.Stac
            or Operation.Monitor or Operation.Mwait or Operation.Xsaves or Operation.Xrstors => "it is privileged",
        Operation.Rdpkru or Operation.Wrpkru => "on a host that runs user mode only the host's protection keys are in force",
        _ => null,
    };
}
