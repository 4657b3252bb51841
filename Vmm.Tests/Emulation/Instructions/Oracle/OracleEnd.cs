// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>How a scenario ended that is not equal on both sides.</summary>
/// <param name="Instruction">The instruction.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Mode">The state of the CPU.</param>
/// <param name="Aspect">What is not equal.</param>
internal readonly record struct OracleEnd(Instruction Instruction, ReadOnlyMemory<byte> Bytes, OracleMode Mode, OracleAspect Aspect)
{
    internal const int StackPointer = 4;

    private static readonly SearchValues<byte> s_segmentPrefixes = SearchValues.Create(0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65);
    private static readonly SearchValues<byte> s_prefixes = SearchValues.Create(0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3);
    private static readonly SearchValues<byte> s_prefixes64 = SearchValues.Create(
        0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3,
        0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F);

    /// <summary>RIP before it.</summary>
    internal ulong Start { get; init; }

    /// <summary>The flags before it.</summary>
    internal ulong Flags { get; init; }

    /// <summary>The general registers before it.</summary>
    internal GeneralRegisters Registers { get; init; }

    /// <summary>RSP of the executor behind it.</summary>
    internal ulong StackAfter { get; init; }

    /// <summary>Whether the manual leaves the result open.</summary>
    internal bool HasUndefinedResult
    {
        get
        {
            Instruction instruction = Instruction;
            return UndefinedFlags.HasUndefinedResult(in instruction, UndefinedFlags.ShiftCount(in instruction, Registers[1]));
        }
    }

    /// <summary>The linear address of the operand in memory.</summary>
    internal ulong OperandAddress { get; init; }

    /// <summary>The vector in whose handler the executor ended, or -1.</summary>
    internal int Ours { get; init; }

    /// <summary>The vector in whose handler KVM ended, or -1.</summary>
    internal int Theirs { get; init; }

    /// <summary>Bits of CR4 whose features KVM does not offer to a guest.</summary>
    internal ulong RefusedControls { get; init; }

    internal Operation Operation => Instruction.Operation;

    /// <summary>Whether a single-step trap is due behind it.</summary>
    internal bool IsStepped => (Flags & FlagBits.Trap) != 0;

    /// <summary>What stands before the opcode; a REX prefix that another prefix follows means nothing.</summary>
    internal ReadOnlySpan<byte> Prefixes => Bytes.Span[..Math.Max(Bytes.Span.IndexOfAnyExcept(Mode.Is64() ? s_prefixes64 : s_prefixes), 0)];

    /// <summary>The REX prefix, or 0.</summary>
    internal int Rex => Mode.Is64() && Prefixes is [.., >= 0x40 and < 0x50 and byte rex] ? rex : 0;

    /// <summary>Whether a prefix of ES, CS, SS or DS is the last of the segment prefixes.</summary>
    internal bool HasLateSegmentPrefix
    {
        get
        {
            int last = Prefixes.LastIndexOfAny(s_segmentPrefixes);
            return last >= 0 && Prefixes[last] < 0x64;
        }
    }

    /// <summary>Whether an access at the operand's address may reach another page.</summary>
    internal bool MayCrossPage => (OperandAddress & 0xFFF) > 0x1000 - 64;

    internal static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    /// <summary>The vector whose handler a side ended in, or -1.</summary>
    internal static int Vector(ulong rip) =>
        rip is >= OracleLayout.Handlers and < OracleLayout.Handlers + 32 * 16 ? (int)(rip - OracleLayout.Handlers) >> 4 : -1;
}
