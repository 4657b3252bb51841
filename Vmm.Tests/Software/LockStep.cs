// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;
using Iced.Intel;
using Vmm.Abstractions.Registers;

namespace Vmm.Tests.Software;

/// <summary>
/// Two guests, one instruction at a time: after each, general registers, flags, RIP and the rest of the state (<see cref="LockStepState"/>) are
/// equal, and at the end memory and what was asked of devices.
/// </summary>
internal sealed class LockStep(LockStepGuest expected, LockStepGuest found)
{
    private const int MostSteps = 30_000;
    private const int History = 12;

    /// <summary>
    /// A hypervisor's step may go further than one instruction: behind an answered port access, and behind a fault, it takes the next
    /// one along; behind an interrupt, on some hosts, the whole handler.
    /// </summary>
    private const int MostStepsBehind = 3;
    private const int MostStepsBehindInterrupt = 64;

    /// <summary>
    /// From here to the data lie the stack, where flags are pushed of which some are the debugger's, and page tables, whose accessed and
    /// dirty bits a hypervisor with tables of its own may set at other times.
    /// </summary>
    private const ulong StackPage = 0x7000;

    private readonly Queue<string> _history = new();
    private ulong _undefined;

    /// <summary>How many instructions of the first guest have been compared.</summary>
    public int Steps { get; private set; }

    /// <summary>Told before each instruction of the first guest, with its number; a test changes a guest there.</summary>
    public Action<int>? BeforeStep { get; init; }

    /// <summary>Runs both to their end.</summary>
    /// <returns>The first difference, with what came before it; null where there is none.</returns>
    public string? FindDifference()
    {
        while (Steps < MostSteps)
        {
            BeforeStep?.Invoke(Steps);
            ulong at = expected.Cpu.GetRegister(RegisterName.Rip);
            bool isInterrupted = expected.IsHalted || found.IsHalted;
            if (isInterrupted)
            {
                expected.Wake();
                found.Wake();
            }

            Remember(at, isInterrupted);
            expected.Step();
            Steps++;
            GeneralRegisters wanted = expected.Compared;
            LockStepState state = new(expected.Cpu);
            if (!CatchUp(wanted, state, isInterrupted ? MostStepsBehindInterrupt : MostStepsBehind))
            {
                return Describe(Defined(wanted), Defined(found.Compared), state);
            }

            if (expected.HasEnded || found.HasEnded)
            {
                return CompareEnds();
            }
        }

        return $"the guests do not end within {MostSteps} instructions";
    }

    private bool CatchUp(GeneralRegisters wanted, LockStepState state, int most)
    {
        for (int step = 0; step < most && !found.HasEnded && !found.IsHalted; step++)
        {
            NoteFlags(found.Decode(found.Cpu.GetRegister(RegisterName.Rip)));
            found.Step();
            if (IsEqual(wanted, state))
            {
                return true;
            }
        }

        return IsEqual(wanted, state);
    }

    private bool IsEqual(GeneralRegisters wanted, LockStepState state) =>
        Defined(found.Compared) == Defined(wanted) && state.Matches(new LockStepState(found.Cpu));

    /// <summary>Flags that an instruction leaves undefined are not compared until another one defines them.</summary>
    private void NoteFlags(in Instruction instruction) => _undefined =
        (_undefined & ~ToFlags(instruction.RflagsModified)) | ToFlags(instruction.RflagsUndefined);

    private GeneralRegisters Defined(GeneralRegisters registers) => registers with { Rflags = registers.Rflags & ~_undefined };

    private static ulong ToFlags(RflagsBits bits)
    {
        ulong flags = 0;
        foreach ((RflagsBits bit, int position) in (ReadOnlySpan<(RflagsBits, int)>)
            [(RflagsBits.CF, 0), (RflagsBits.PF, 2), (RflagsBits.ZF, 6), (RflagsBits.SF, 7), (RflagsBits.OF, 11)])
        {
            flags |= (bits & bit) != 0 ? 1UL << position : 0;
        }

        return flags;
    }

    private string? CompareEnds()
    {
        if (expected.Unexpected is not null || found.Unexpected is not null)
        {
            return Describe(expected.Compared, found.Compared, new LockStepState(expected.Cpu));
        }

        if (!found.Accesses.SequenceEqual(expected.Accesses))
        {
            int first = found.Accesses.Zip(expected.Accesses).TakeWhile(pair => pair.First == pair.Second).Count();
            return $"access {first} to a device: {expected.Accesses.ElementAtOrDefault(first)}, but {found.Accesses.ElementAtOrDefault(first)}";
        }

        return FirstByte(0, StackPage) ?? FirstByte(LockStepGuest.DataAddress, LockStepGuest.MemoryLength);
    }

    private string? FirstByte(ulong first, ulong end)
    {
        int length = (int)(end - first);
        ReadOnlySpan<byte> left = expected.MemoryAt(first, length);
        ReadOnlySpan<byte> right = found.MemoryAt(first, length);
        int same = left.CommonPrefixLength(right);
        return same == length
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"memory at {first + (ulong)same:x}: {left[same]:x2}, but {right[same]:x2}");
    }

    private void Remember(ulong rip, bool isInterrupted)
    {
        _history.Enqueue($"{rip:x8}  {expected.Decode(rip)}{(isInterrupted ? "  (interrupted)" : "")}");
        if (_history.Count > History)
        {
            _history.Dequeue();
        }
    }

    private string Describe(in GeneralRegisters wanted, in GeneralRegisters seen, LockStepState state)
    {
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"after {Steps} instructions:");
        foreach ((string name, ulong left, ulong right) in Pairs(wanted, seen)
            .Where(pair => pair.Left != pair.Right)
            .Concat(state.Differences(new LockStepState(found.Cpu))))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {name}: {left:x}, but {right:x}");
        }

        foreach (string exit in (string[])[expected.Unexpected ?? "", found.Unexpected ?? ""])
        {
            text.Append(exit.Length == 0 ? "" : $"  ended by {exit}{Environment.NewLine}");
        }

        text.AppendLine("the last instructions:");
        foreach (string line in _history)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {line}");
        }

        return text.ToString();
    }

    private static IEnumerable<(string Name, ulong Left, ulong Right)> Pairs(GeneralRegisters left, GeneralRegisters right) =>
    [
        ("RAX", left.Rax, right.Rax),
        ("RBX", left.Rbx, right.Rbx),
        ("RCX", left.Rcx, right.Rcx),
        ("RDX", left.Rdx, right.Rdx),
        ("RSI", left.Rsi, right.Rsi),
        ("RDI", left.Rdi, right.Rdi),
        ("RBP", left.Rbp, right.Rbp),
        ("RSP", left.Rsp, right.Rsp),
        ("R8", left.R8, right.R8),
        ("R9", left.R9, right.R9),
        ("R10", left.R10, right.R10),
        ("R11", left.R11, right.R11),
        ("R12", left.R12, right.R12),
        ("R13", left.R13, right.R13),
        ("R14", left.R14, right.R14),
        ("R15", left.R15, right.R15),
        ("RIP", left.Rip, right.Rip),
        ("RFLAGS", left.Rflags, right.Rflags),
    ];
}
