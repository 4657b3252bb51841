// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Cpuid;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// Another end that an instruction may have had. The executor is led to it, and the other side has to be equal to it in everything.
/// </summary>
/// <param name="Reason">Why there are two, and whose rule it is.</param>
/// <param name="Applies">Whether the other side may have come to it.</param>
/// <param name="Execute">Executes the instruction at RIP to that end, what it raises included; false where there is no such end.</param>
/// <param name="UndefinedFlags">Flags that are not compared at that end.</param>
internal sealed record OracleAlternative(string Reason, Predicate<OracleEnd> Applies, OracleAlternative.Executing Execute, ulong UndefinedFlags = 0)
{
    private const int MostSteps = 600;

    private static readonly OracleAlternative s_exchange = new(
        "F3 REX.B 90 may be XCHG with a repeat prefix (volume 2, repeat prefixes: reserved)",
        static e => e.Operation == Operation.Pause && (e.Rex & 1) != 0, Exchange);

    internal delegate bool Executing(ref FlatCpu cpu, byte[] memory, in OracleEnd end);

    /// <summary>On processors.</summary>
    internal static OracleAlternative[] OfProcessors { get; } =
    [
        new("two operands fault, and their order is the processor's (volume 3, priority among concurrent events)",
            static e => !HostCpu.IsAmd && e.Operation is Operation.Cmps or Operation.Movs, FaultOfDestination),
        new("flags of a repeated comparison are final at its end only (volume 2, REP)",
            static e => !HostCpu.IsAmd && e.Operation is Operation.Cmps or Operation.Scas && e is { Ours: KvmDifferences.Debug, Theirs: KvmDifferences.Debug },
            OneElement, OracleState.StatusFlags),
        new("a misaligned area may be #AC instead of #GP (volume 2, FXSAVE and XRSTOR)",
            static e => e is { Ours: KvmDifferences.GeneralProtection, Theirs: KvmDifferences.AlignmentCheck }
                && e.Operation is Operation.Fxsave or Operation.Fxrstor or >= Operation.Xsave and <= Operation.Xrstors, AlignmentCheck),
        new("a repeat prefix of the other condition may turn that of LOOPE and LOOPNE round (volume 2, repeat prefixes: reserved)",
            static e => e.Operation is Operation.Loope && e.Prefixes.Contains((byte)0xF2) || e.Operation is Operation.Loopne && e.Prefixes.Contains((byte)0xF3),
            OtherCondition),
        s_exchange,
    ];

    /// <summary>In KVM's emulator. What happens behind an instruction comes together with what happens in it.</summary>
    internal static OracleAlternative[] OfInterpreter { get; } =
    [
        s_exchange,
        new("KVM's emulator writes a destination that keeps its value, which clears the upper half (volume 2, CMPXCHG, BSF and BSR)",
            static e => e is { Operation: Operation.Cmpxchg, Instruction: { HasMemoryOperand: false, OperandSize: 4 } }
                or { Operation: Operation.Bsf or Operation.Bsr, Instruction.OperandSize: 4 }, ZeroExtend),
        new("KVM's emulator steps over all elements at once (volume 3, single-step exception)",
            static e => e.IsStepped && e.Operation is >= Operation.Movs and <= Operation.Scas, AsInterpreted),
        new("KVM's emulator steps over all elements at once, and traps in front of the instruction whose count is used up, with RF (volume 3, single-step exception)",
            static e => e.IsStepped && e.Operation is >= Operation.Movs and <= Operation.Scas, AsInterpretedInFront),
        new("KVM's emulator gives back the flags from before when an element of a repeated comparison faults, as Intel's processors do (volume 2, REP)",
            static e => HostCpu.IsAmd && e.Operation is Operation.Cmps or Operation.Scas, AsInterpreted),
        new("KVM delivers exceptions in 16-bit protected mode with the stack's base 0 and all of ESP (volume 3, exception and interrupt handling in protected mode)",
            static e => e is { Mode: OracleMode.Protected16, Ours: >= 0 }, AsInterpreted),
    ];

    /// <summary>
    /// In place of the fault of the source comes that of the destination: STOS and SCAS, six opcodes further or eight, have the destination of
    /// MOVS and CMPS and no source.
    /// </summary>
    internal static bool FaultOfDestination(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
    {
        if (!RunToFault(ref cpu, end.Start, out ExecutionResult fault) || fault.Vector < KvmDifferences.StackFault)
        {
            return false;
        }

        ref byte opcode = ref Opcode(in cpu, memory, in end);
        ExecutionResult other = StepPatched(ref cpu, ref opcode, (byte)(opcode + (end.Operation == Operation.Cmps ? 8 : 6)));
        return other.Status == ExecutionStatus.Fault && other != fault && Executor.Raise(ref cpu, in other).Status == ExecutionStatus.Completed;
    }

    private static bool AlignmentCheck(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
    {
        ExecutionResult other = ExecutionResult.Fault(KvmDifferences.AlignmentCheck, 0);
        return Executor.Raise(ref cpu, in other).Status == ExecutionStatus.Completed;
    }

    /// <summary>LOOPNE and LOOPE are neighbours.</summary>
    private static bool OtherCondition(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
    {
        ref byte opcode = ref Opcode(in cpu, memory, in end);
        return IsRaised(ref cpu, StepPatched(ref cpu, ref opcode, (byte)(opcode ^ 1)));
    }

    /// <summary>A prefix that means nothing takes the place of each F3.</summary>
    private static bool Exchange(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
    {
        const byte Repeat = 0xF3;
        const byte Ignored = 0x2E;
        Span<byte> prefixes = memory.AsSpan((int)end.Start, end.Prefixes.Length);
        prefixes.Replace(Repeat, Ignored);
        ExecutionResult result = Executor.Step(ref cpu);
        end.Prefixes.CopyTo(prefixes);
        return IsRaised(ref cpu, result);
    }

    private static bool ZeroExtend(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
    {
        if (!IsRaised(ref cpu, Executor.Step(ref cpu)))
        {
            return false;
        }

        ref ulong destination = ref cpu.State.General[end.Operation == Operation.Cmpxchg ? end.Instruction.Rm : end.Instruction.Reg];
        destination = (uint)destination;
        return true;
    }

    private static ref byte Opcode(in FlatCpu cpu, byte[] memory, in OracleEnd end)
        => ref memory[(int)(end.Start + cpu.State.Segments[(int)SegmentName.Cs].Base) + end.Prefixes.Length];

    /// <summary>Executes an instruction with a byte of it replaced.</summary>
    private static ExecutionResult StepPatched(ref FlatCpu cpu, ref byte at, byte value)
    {
        byte own = at;
        at = value;
        ExecutionResult result = Executor.Step(ref cpu);
        at = own;
        return result;
    }

    private static bool IsRaised(ref FlatCpu cpu, ExecutionResult result)
        => result.Status == ExecutionStatus.Completed
            || result.Status == ExecutionStatus.Fault && Executor.Raise(ref cpu, in result).Status == ExecutionStatus.Completed;

    /// <summary>The trap of a single step comes behind one element of several.</summary>
    private static bool OneElement(ref FlatCpu cpu, byte[] memory, in OracleEnd end)
        => RunToFault(ref cpu, end.Start, out ExecutionResult trap) && cpu.State.Rip == end.Start
            && Executor.Raise(ref cpu, in trap).Status == ExecutionStatus.Completed;

    /// <summary>
    /// The trap of a single step comes behind the last element, or behind the one that a fault stops; a fault gives back flags; and what is raised
    /// is delivered in 16-bit protected mode as if the stack's segment were flat.
    /// </summary>
    internal static bool AsInterpreted(ref FlatCpu cpu, byte[] memory, in OracleEnd end) => AsInterpreted(ref cpu, in end, isInFront: false);

    private static bool AsInterpretedInFront(ref FlatCpu cpu, byte[] memory, in OracleEnd end) => AsInterpreted(ref cpu, in end, isInFront: true);

    private static bool AsInterpreted(ref FlatCpu cpu, in OracleEnd end, bool isInFront)
    {
        CpuState state = cpu.State;
        CpuVendor vendor = state.Vendor;
        bool isString = end.Operation is >= Operation.Movs and <= Operation.Scas;
        state.Vendor = isString ? CpuVendor.Intel : vendor;
        ulong trap = isString ? state.Rflags & FlagBits.Trap : 0;
        state.Rflags &= ~trap;
        bool faults = RunToFault(ref cpu, end.Start, out ExecutionResult result);
        state.Rflags |= trap;
        state.Vendor = vendor;
        if (!faults)
        {
            const ulong SingleStep = 1 << 14;
            state.Dr6 |= SingleStep;
            result = ExecutionResult.Fault(KvmDifferences.Debug);
        }

        if (!faults && trap == 0)
        {
            return end.Mode == OracleMode.Protected16;
        }

        if (isInFront && !faults)
        {
            state.Rip = end.Start;
            state.Rflags |= FlagBits.Resume;
        }

        ExecutionResult delivered = end.Mode == OracleMode.Protected16 ? RaiseOnFlatStack(ref cpu, in result) : Executor.Raise(ref cpu, in result);
        return delivered.Status == ExecutionStatus.Completed;
    }

    /// <summary>Delivers with a base of 0 and all of ESP.</summary>
    internal static ExecutionResult RaiseOnFlatStack(ref FlatCpu cpu, in ExecutionResult fault)
    {
        CpuState state = cpu.State;
        SegmentState stack = state.Segments[(int)SegmentName.Ss];
        state.Segments[(int)SegmentName.Ss] = stack with { Base = 0, Limit = uint.MaxValue, Access = stack.Access | SegmentState.BigBit };
        ExecutionResult delivered = Executor.Raise(ref cpu, in fault);
        state.Segments[(int)SegmentName.Ss] = stack;
        return delivered;
    }

    /// <summary>Executes the instruction until it raises something or is done.</summary>
    private static bool RunToFault(ref FlatCpu cpu, ulong start, out ExecutionResult fault)
    {
        fault = default;
        for (int step = 0; step < MostSteps && fault.Status == ExecutionStatus.Completed && cpu.State.Rip == start; step++)
        {
            fault = Executor.Step(ref cpu);
        }

        return fault.Status == ExecutionStatus.Fault;
    }
}
