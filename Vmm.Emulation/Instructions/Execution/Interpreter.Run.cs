// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Fetch, decode, execute, retire; and delivery of what was raised.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>
    /// Instructions after which code is compared with memory anew, whatever the guest does: what another CPU writes is seen by a loop
    /// that never serializes too.
    /// </summary>
    private const long EpochLength = 1 << 16;

    /// <summary>An exception, a contributory one, a page fault and the double fault, with one to spare.</summary>
    private const int MostAttempts = 5;

    internal static ExecutionResult Step(ref TCpu cpu, out Instruction instruction)
    {
        CpuState s = cpu.State;
        ref readonly Instruction fetched = ref Fetch(ref cpu, s);
        if (Unsafe.IsNullRef(in fetched))
        {
            instruction = default;
            return s.Outcome;
        }

        instruction = fetched;
        return Execute(ref cpu, s, in fetched) ? default : s.Outcome;
    }

    internal static ExecutionResult ExecuteDecoded(ref TCpu cpu, in Instruction i)
    {
        CpuState s = cpu.State;
        return i.Length == 0 ? ExecutionResult.Fault(Vector.InvalidOpcode) : Execute(ref cpu, s, in i) ? default : s.Outcome;
    }

    internal static ExecutionResult Run(ref TCpu cpu, long maximum, bool deliver, bool continues, out long executed)
    {
        CpuState s = cpu.State;
        ExecutionPhase phase = s.Begin(ExecutionPhase.Execute);
        ExecutionResult result = RunUntil(ref cpu, s, maximum, deliver, continues, out executed);
        s.Begin(phase);
        return result;
    }

    private static ExecutionResult RunUntil(ref TCpu cpu, CpuState s, long maximum, bool deliver, bool continues, out long executed)
    {
        BlockCache? blocks = maximum > 1 ? BlockCache.Of(s) : null;
        long count = 0;
        long epochEnd = continues ? s.EpochLeft : 0;
        s.EndsRun = false;
        s.RepeatEffort = 0;
        Refresh(s);
        while (count < maximum && !s.EndsRun)
        {
            if (count >= epochEnd)
            {
                s.CodeEpoch++;
                epochEnd = count + EpochLength;
            }

            if ((blocks is null || RunBlocks(ref cpu, s, blocks, Math.Min(maximum, epochEnd), ref count)) && RunOne(ref cpu, s, maximum, ref count))
            {
                continue;
            }

            ExecutionResult result = s.Outcome;
            if (result.Status == ExecutionStatus.Fault && deliver)
            {
                result = DeliverFault(ref cpu, in result);
                s.CodeEpoch++;
                Refresh(s);
                if (result.Status == ExecutionStatus.Completed)
                {
                    count++;
                    continue;
                }
            }

            s.EpochLeft = epochEnd - count;
            executed = result.Status == ExecutionStatus.Halted ? count + 1 : count;
            return result;
        }

        s.EpochLeft = epochEnd - count;
        executed = count;
        return default;
    }

    /// <summary>
    /// What blocks cannot hold: instructions across pages, those that fault when they are fetched, and all while TF, RF or a shadow
    /// asks for one at a time.
    /// </summary>
    private static bool RunOne(ref TCpu cpu, CpuState s, long maximum, ref long count)
    {
        if (count >= maximum || s.EndsRun)
        {
            return true;
        }

        if (TCpu.IsSupervised && s.HasBreakpoints && MeetsBreakpoint(s))
        {
            return false;
        }

        ref readonly Instruction fetched = ref Fetch(ref cpu, s);
        if (Unsafe.IsNullRef(in fetched) || !Execute(ref cpu, s, in fetched))
        {
            return false;
        }

        count++;
        if (IsSerializing(fetched.Operation))
        {
            s.CodeEpoch++;
        }

        Refresh(s);
        return true;
    }

    /// <summary>Executes and retires; false when the outcome is anything but plain completion.</summary>
    private static bool Execute(ref TCpu cpu, CpuState s, in Instruction i)
    {
        ulong next = s.Rip + (uint)i.Length;
        s.NextRip = i.CodeSize == CodeSize.Bits64 ? next : (uint)next;
        s.NextShadow = InterruptShadow.None;
        s.KeepsResume = false;
        if (TCpu.IsSupervised)
        {
            if (!cpu.Admits(in i))
            {
                s.Outcome = new(ExecutionStatus.Refused);
                return false;
            }

            BeginWatching(s);
        }

        bool traps = (s.ControlFlags & FlagBits.Trap) != 0;
        if (!Dispatch(ref cpu, s, in i))
        {
            if (TCpu.IsSupervised)
            {
                AbandonWatching(s);
            }

            return false;
        }

        s.Rip = s.NextRip;
        s.Shadow = s.NextShadow;
        if ((s.ControlFlags & FlagBits.Resume) != 0 && !s.KeepsResume)
        {
            s.Rflags &= ~FlagBits.Resume;
        }

        bool meets = false;
        if (TCpu.IsSupervised)
        {
            EndWatching(s);
            meets = s.BreakpointsMet != 0;
            cpu.Retired();
        }

        return !(traps | meets | s.Halted) || RetireSpecial(s, traps && !HasClearedTrap(s, in i));
    }

    /// <summary>
    /// Software interrupts clear TF on their way to the handler, which takes their own trap away (volume 3, single-step exception); so does
    /// SYSCALL through IA32_FMASK.
    /// </summary>
    private static bool HasClearedTrap(CpuState s, in Instruction i)
        => i.Operation is Operation.Int or Operation.Int3 or Operation.Int1 or Operation.Into or Operation.Syscall
            && (s.Rflags & FlagBits.Trap) == 0;

    /// <summary>
    /// Traps of single steps and of breakpoints on data and ports come behind the instruction, unless it loaded SS (volume 3,
    /// interrupts when switching stacks); HLT ends a run.
    /// </summary>
    private static bool RetireSpecial(CpuState s, bool traps)
    {
        const ulong SingleStep = 1 << 14;
        ulong met = s.BreakpointsMet | (traps ? SingleStep : 0);
        if (met != 0 && s.Shadow != InterruptShadow.MovSs)
        {
            return !RaiseDebug(s, met);
        }

        s.Outcome = new(ExecutionStatus.Halted);
        return !s.Halted;
    }

    internal static ExecutionResult DeliverEvent(ref TCpu cpu, byte vector, InterruptKind kind, uint? errorCode)
    {
        CpuState s = cpu.State;
        s.Outcome = default;
        s.NextRip = s.Rip;
        s.IsRepeating = false;
        s.Comparison.Forget();
        CpuSnapshot saved = new(s);
        s.CodeEpoch++;
        if (!Deliver(ref cpu, s, vector, kind, errorCode.HasValue, errorCode.GetValueOrDefault()))
        {
            saved.Restore(s);
            if (TCpu.IsSupervised)
            {
                AbandonWatching(s);
            }

            s.FailedEvent = new(vector, kind, errorCode.HasValue, errorCode.GetValueOrDefault(), WasAttempted: true);
            s.FailedWith = s.Outcome;
            return s.Outcome;
        }

        if (TCpu.IsSupervised)
        {
            EndWatching(s);
        }

        if (vector == Vector.Debug && kind == InterruptKind.HardwareException)
        {
            // Its handler may access the debug registers (volume 3, debug control register).
            const ulong GeneralDetect = 1 << 13;
            s.Dr7 &= ~GeneralDetect;
        }

        s.FailedEvent = default;
        s.Rip = s.NextRip;
        s.Shadow = InterruptShadow.None;
        s.Halted = false;
        return default;
    }

    /// <summary>An exception during the delivery of another may make a double fault, or shut the CPU down (volume 3, double fault).</summary>
    internal static ExecutionResult DeliverFault(ref TCpu cpu, in ExecutionResult fault)
    {
        CpuState s = cpu.State;
        ExecutionResult current = fault;
        NotePageFault(s, in fault);
        FaultEvent cause = s.FailedEvent is { WasAttempted: true } failed && s.FailedWith == fault ? failed : default;

        // Of contributory exceptions and page faults there is no more than one each before the double fault. #AC can come up in its own delivery for
        // ever, which ends here in a shutdown.
        bool isFirst = true;
        for (int attempts = 0; attempts < MostAttempts; attempts++, isFirst = false)
        {
            ExecutionResult result = DeliverEvent(
                ref cpu, current.Vector, InterruptKind.HardwareException, current.HasErrorCode && s.IsProtected ? current.ErrorCode : null);
            if (result.Status != ExecutionStatus.Fault)
            {
                return result;
            }

            NotePageFault(s, in result);
            if (isFirst)
            {
                BeginTrail(s, in cause, in fault);
            }

            s.TrailForWriting.Attempt();
            AddToTrail(s, in result);
            bool wasContributory = IsContributory(current.Vector);
            bool wasPageFault = current.Vector == Vector.PageFault;
            if (current.Vector == Vector.DoubleFault)
            {
                return new(ExecutionStatus.Shutdown);
            }

            bool doubles = wasContributory && IsContributory(result.Vector)
                || wasPageFault && (result.Vector == Vector.PageFault || IsContributory(result.Vector));
            current = doubles ? ExecutionResult.Fault(Vector.DoubleFault, 0) : result;
            if (doubles)
            {
                AddToTrail(s, in current);
            }
        }

        return new(ExecutionStatus.Shutdown);
    }

    /// <summary>The exception, and before it the event in whose delivery it came up.</summary>
    private static void BeginTrail(CpuState s, in FaultEvent cause, in ExecutionResult fault)
    {
        s.TrailForWriting = default;
        if (cause.WasAttempted)
        {
            s.TrailForWriting.Add(in cause);
        }

        AddToTrail(s, in fault);
    }

    private static void AddToTrail(CpuState s, in ExecutionResult fault) => s.TrailForWriting.Add(
        new(fault.Vector, InterruptKind.HardwareException, fault.HasErrorCode && s.IsProtected, fault.ErrorCode, fault.FaultAddress));

    /// <summary>CR2 takes the address of every page fault, also of one that becomes a double fault (volume 3, exception and interrupt reference, #PF).</summary>
    private static void NotePageFault(CpuState s, in ExecutionResult fault)
    {
        if (fault.Vector == Vector.PageFault)
        {
            s.Cr2 = fault.FaultAddress;
        }
    }

    private static bool IsContributory(byte vector)
        => vector is Vector.DivideError or >= Vector.InvalidTss and <= Vector.GeneralProtection;

    /// <summary>The decoded instruction at RIP, or a null reference with an outcome. It stays valid until the next fetch.</summary>
    private static ref readonly Instruction Fetch(ref TCpu cpu, CpuState s)
    {
        CodeSize mode = s.CodeSize;
        ulong linear = s.Rip;
        if (mode != CodeSize.Bits64)
        {
            ref SegmentState code = ref s.Segments[(int)SegmentName.Cs];
            if (linear > code.Limit)
            {
                GeneralProtection(s);
                return ref Unsafe.NullRef<Instruction>();
            }

            linear = (uint)(linear + code.Base);
        }

        return ref FetchByParts(ref cpu, s, linear, mode);
    }

    /// <summary>The second page is touched only if decoding needs it.</summary>
    private static ref readonly Instruction FetchByParts(ref TCpu cpu, CpuState s, ulong linear, CodeSize mode)
    {
        // What lies over the limit is not fetched, and #GP comes before what its page or its opcode would raise (volume 3, priority among
        // concurrent events).
        Span<byte> bytes = stackalloc byte[Decoder.MaximumLength];
        bytes = bytes[..(int)Math.Min(Decoder.MaximumLength, mode == CodeSize.Bits64 ? ulong.MaxValue : s.Segments[(int)SegmentName.Cs].Limit - s.Rip + 1)];
        int first = (int)Math.Min((uint)bytes.Length, 0x1000 - (linear & PageMask));
        if (!Translate(ref cpu, s, linear, TranslationCache.Fetch, out ulong physical) || !FetchBytes(ref cpu, s, physical, bytes[..first]))
        {
            return ref Unsafe.NullRef<Instruction>();
        }

        DecodeStatus status = Decoder.Decode(bytes[..first], mode, out Instruction decoded);
        if (status == DecodeStatus.NeedMoreBytes && first < bytes.Length)
        {
            if (!Translate(ref cpu, s, NextPage(s, linear, first), TranslationCache.Fetch, out physical)
                || !FetchBytes(ref cpu, s, physical, bytes[first..]))
            {
                return ref Unsafe.NullRef<Instruction>();
            }

            status = Decoder.Decode(bytes, mode, out decoded);
        }

        if (status != DecodeStatus.Decoded)
        {
            _ = status == DecodeStatus.Invalid ? Undefined(s) : GeneralProtection(s);
            return ref Unsafe.NullRef<Instruction>();
        }

        s.Fetched = decoded;
        return ref s.Fetched;
    }

    /// <summary>Code is executed from RAM only: fetching from a device is refused.</summary>
    private static bool FetchBytes(ref TCpu cpu, CpuState s, ulong physical, Span<byte> bytes)
    {
        ref byte ram = ref cpu.Ram(physical, bytes.Length, write: false);
        if (Unsafe.IsNullRef(ref ram))
        {
            s.Outcome = new(ExecutionStatus.Refused);
            return false;
        }

        MemoryMarshal.CreateReadOnlySpan(ref ram, bytes.Length).CopyTo(bytes);
        return true;
    }
}
