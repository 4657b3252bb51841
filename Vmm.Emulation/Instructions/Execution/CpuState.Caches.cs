// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What the executor keeps beside the architectural state: status flags not yet computed, and what it remembers of memory.</summary>
public sealed partial class CpuState
{
    /// <summary>The last result that set status flags; see <see cref="Flags"/>.</summary>
    internal long FlagResult = 0x100;

    /// <summary>The carries of that result.</summary>
    internal ulong FlagCarries = 1 << 8;

    /// <summary>The repeated CMPS or SCAS that is executed, or was left between two elements.</summary>
    internal RepeatedComparison Comparison;

    /// <summary>What repeated instructions have done in this run, in elements.</summary>
    internal long RepeatEffort;

    /// <summary>The instruction that was fetched by itself.</summary>
    internal Instruction Fetched;

    /// <summary>Entries of <see cref="Translations"/> for reads; there from the first run on.</summary>
    internal TranslationEntry[] ReadEntries = [];

    /// <summary>Entries of <see cref="Translations"/> for writes; there from the first run on.</summary>
    internal TranslationEntry[] WriteEntries = [];

    /// <summary>The rights part of the tag that explicit data accesses look for: correct within a block of decoded instructions.</summary>
    internal ulong DataRights;

    /// <summary>Distinguishes what the same linear address may hold: the state of the translations, the code size and user mode.</summary>
    internal ulong CodeContext;

    /// <summary>The current address space as a part of the tags of translations.</summary>
    internal ulong AddressSpace;

    /// <summary>Changes with what user code may be found at a linear address; never 0.</summary>
    internal ulong UserVersion = 1;

    /// <summary>The same of a supervisor's code.</summary>
    internal ulong SupervisorVersion = 1;

    /// <summary>Counts the points at which changes of code have to be seen.</summary>
    internal long CodeEpoch;

    /// <summary>Instructions that a run which goes on with the last one's epoch may execute in it.</summary>
    internal long EpochLeft;

    /// <summary>Instructions of the running block that may still be executed without looking again. Zero ends it.</summary>
    internal int BlockEnd;

    /// <summary>CS's base, or 0 in 64-bit mode.</summary>
    internal ulong CodeBase;

    /// <summary>The bits of RIP that count in this code size.</summary>
    internal ulong CodeMask;

    /// <summary>The last offset in CS, or the last of all in 64-bit mode.</summary>
    internal ulong CodeLimit;

    /// <summary>TF, RF, an interrupt shadow or a halt asks for one instruction at a time.</summary>
    internal bool IsSpecial;

    /// <summary>The blocks of decoded instructions, of the type that the executor for the binding knows.</summary>
    internal object? Blocks;

    /// <summary>The blocks of another binding that drives the same CPU in turn.</summary>
    internal object? OtherBlocks;

    /// <summary>Pages with bytes that blocks were decoded from.</summary>
    internal CodePages CodePages { get; } = new();

    /// <summary>Where execution continues when the current instruction completes.</summary>
    internal ref ulong NextRip => ref Register(Instruction.RipRegister);

    /// <summary>Cached translations; made on first use.</summary>
    internal TranslationCache Translations => _translations ??= new(this);

    /// <summary>RFLAGS without the status flags.</summary>
    internal ulong ControlFlags => _controlFlags;

    /// <summary>CF as 0 or 1.</summary>
    internal ulong Carry => FlagCarries >> 63;

    /// <summary>A register by its number in a decoded instruction, 0 to 17.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref ulong Register(int number)
    {
        // SAFETY: the decoder makes no other numbers.
        return ref Unsafe.Add(ref Unsafe.As<RegisterFile, ulong>(ref _registers), number);
    }

    /// <summary>Replaces the six status flags by those of a result.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void SetResult<T>(T result, ulong carries)
        where T : unmanaged, IBinaryInteger<T>
    {
        FlagResult = Integers.Extend(result);
        FlagCarries = carries;
    }

    /// <summary>Replaces CF and OF.</summary>
    internal void SetTopCarries(ulong carries) => FlagCarries = FlagCarries & ~Flags.TopCarries | carries;

    /// <summary>Replaces the six status flags.</summary>
    internal void SetStatus(ulong flags) => FlagResult = Flags.FromStatus(flags, out FlagCarries);

    /// <summary>The sixteen conditions (volume 1, appendix B).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool IsTrue(int condition)
    {
        bool value = (condition >> 1 & 7) switch
        {
            0 => (long)(FlagCarries ^ FlagCarries << 1) < 0,
            1 => (long)FlagCarries < 0,
            2 => FlagResult == 0,
            3 => FlagResult == 0 || (long)FlagCarries < 0,
            4 => ((ulong)FlagResult >> 63 ^ FlagCarries & 1) != 0,
            5 => (BitOperations.PopCount(((ulong)FlagResult ^ FlagCarries >> 8) & 0xFF) & 1) == 0,
            6 => IsLess,
            _ => IsLess || FlagResult == 0,
        };
        return value ^ (condition & 1) != 0;
    }

    /// <summary>SF differs from OF.</summary>
    private bool IsLess
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (long)((ulong)FlagResult ^ FlagCarries ^ FlagCarries << 1 ^ FlagCarries << 63) < 0;
    }

    /// <summary>Code that was decoded may have been written: blocks compare their bytes before they run again, the running one ends.</summary>
    internal void CodeChanged()
    {
        CodeEpoch++;
        BlockEnd = 0;
    }
}
