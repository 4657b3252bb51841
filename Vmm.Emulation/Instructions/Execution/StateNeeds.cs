// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// What an instruction works on beyond general, segment and control registers and memory: for a binding that fetches state only
/// when it is needed, or has to leave some of it to others.
/// </summary>
[Flags]
public enum StateNeeds
{
    /// <summary>Nothing more.</summary>
    None = 0,

    /// <summary><see cref="CpuState.Extended"/> or PKRU.</summary>
    Extended = 1 << 0,

    /// <summary>XCR0.</summary>
    Xcr0 = 1 << 1,

    /// <summary>IA32_XSS.</summary>
    Xss = 1 << 2,

    /// <summary>IA32_KERNEL_GS_BASE.</summary>
    KernelGsBase = 1 << 3,

    /// <summary>IA32_STAR, LSTAR, CSTAR and FMASK.</summary>
    Syscall = 1 << 4,

    /// <summary>IA32_SYSENTER_CS, ESP and EIP.</summary>
    Sysenter = 1 << 5,

    /// <summary>IA32_TSC_AUX.</summary>
    TscAux = 1 << 6,

    /// <summary>DR0 to DR3, DR6 and DR7.</summary>
    Debug = 1 << 7,

    /// <summary>CR8: the local APIC's task priority.</summary>
    TaskPriority = 1 << 8,

    /// <summary>A performance counter.</summary>
    Counters = 1 << 9,

    /// <summary>What CPUID answers.</summary>
    Identification = 1 << 10,

    /// <summary>Any MSR: RDMSR and WRMSR.</summary>
    Msrs = 1 << 11,

    /// <summary>The processor waits for an event: HLT.</summary>
    Idle = 1 << 12,

    /// <summary>Caches or cached translations as a whole: INVLPG, INVPCID, INVD, WBINVD.</summary>
    Caches = 1 << 13,

    /// <summary>It ends the blocking of NMIs: IRET.</summary>
    NmiUnblocking = 1 << 14,

    /// <summary>It is part of a loop that waits for another processor (PAUSE).</summary>
    Spinning = 1 << 15,

    /// <summary>The time-stamp counter.</summary>
    TimeStamp = 1 << 16,

    /// <summary>It waits for a write to memory (MONITOR, MWAIT).</summary>
    Monitoring = 1 << 17,

    /// <summary>CR4 is written: which bits there are, the hypervisor knows that has the processor.</summary>
    ControlBits = 1 << 18,
}

/// <summary>The needs of each operation.</summary>
internal static class OperationNeeds
{
    private static readonly StateNeeds[] s_needs = Build();

    internal static StateNeeds Of(in Instruction instruction)
    {
        StateNeeds needs = s_needs[(int)instruction.Operation];

        // AVX asks XCR0 whether its registers are enabled.
        return instruction.IsVex && (needs & StateNeeds.Extended) != 0 ? needs | StateNeeds.Xcr0
            : instruction is { Operation: Operation.MovCr, Reg: 8 } ? StateNeeds.TaskPriority
            : instruction is { Operation: Operation.MovCr, Reg: 4, Pattern: not Pattern.EC } ? StateNeeds.ControlBits
            : needs;
    }

    private static StateNeeds[] Build()
    {
        StateNeeds[] needs = new StateNeeds[(int)Enum.GetValues<Operation>().Max() + 1];

        // From the x87 on all have vector or x87 operands, but for the general-register instructions that VEX encodes.
        for (int i = (int)Operation.F2xm1; i < needs.Length; i++)
        {
            needs[i] = StateNeeds.Extended;
        }

        Set(StateNeeds.None, Operation.Andn, Operation.Bextr, Operation.Blsi, Operation.Blsmsk, Operation.Blsr, Operation.Bzhi,
            Operation.Mulx, Operation.Pdep, Operation.Pext, Operation.Rorx, Operation.Sarx, Operation.Shlx, Operation.Shrx);
        Set(StateNeeds.Extended, Operation.Emms, Operation.Wait, Operation.Ldmxcsr, Operation.Stmxcsr, Operation.Fxsave,
            Operation.Fxrstor, Operation.Rdpkru, Operation.Wrpkru);
        Set(StateNeeds.Extended | StateNeeds.Xcr0, Operation.Xsave, Operation.Xsaveopt, Operation.Xsavec, Operation.Xrstor);
        Set(StateNeeds.Extended | StateNeeds.Xcr0 | StateNeeds.Xss, Operation.Xsaves, Operation.Xrstors);
        Set(StateNeeds.Xcr0, Operation.Xgetbv, Operation.Xsetbv);
        Set(StateNeeds.KernelGsBase, Operation.Swapgs);
        Set(StateNeeds.Syscall, Operation.Syscall, Operation.Sysret);
        Set(StateNeeds.Sysenter, Operation.Sysenter, Operation.Sysexit);
        Set(StateNeeds.TscAux, Operation.Rdpid);
        Set(StateNeeds.Debug, Operation.MovDr);
        Set(StateNeeds.Counters, Operation.Rdpmc);
        Set(StateNeeds.TimeStamp, Operation.Rdtsc);
        Set(StateNeeds.TimeStamp | StateNeeds.TscAux, Operation.Rdtscp);
        Set(StateNeeds.Identification, Operation.Cpuid);
        Set(StateNeeds.Msrs, Operation.Rdmsr, Operation.Wrmsr);
        Set(StateNeeds.Idle, Operation.Hlt);
        Set(StateNeeds.Monitoring, Operation.Monitor, Operation.Mwait);
        Set(StateNeeds.Spinning, Operation.Pause);
        Set(StateNeeds.Caches, Operation.Invlpg, Operation.Invpcid, Operation.Invd, Operation.Wbinvd, Operation.Wbnoinvd);
        Set(StateNeeds.NmiUnblocking, Operation.Iret);
        return needs;

        void Set(StateNeeds value, params ReadOnlySpan<Operation> operations)
        {
            foreach (Operation operation in operations)
            {
                needs[(int)operation] = value;
            }
        }
    }
}
