// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What translated blocks call beside the bodies of their instructions, and when a block is translated.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Executes a block once, or again and again while it leads to its own beginning.</summary>
    /// <param name="cpu">The binding.</param>
    /// <param name="first">The block's first instruction.</param>
    /// <param name="rip">Where it is in this address space.</param>
    /// <param name="limit">How many instructions may be executed; not less than the block has.</param>
    /// <returns>How many completed; the complement of it when the next one did not.</returns>
    internal delegate int TranslatedBlock(ref TCpu cpu, ref MicroOp first, ulong rip, int limit);

    /// <summary>Whether blocks of this binding can be translated at all: no instruction has to be looked at by itself.</summary>
    private static bool IsTranslatable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => !TCpu.IsSupervised && TCpu.HasStableMemory;
    }

    /// <summary>Has a block that was executed often made a method.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Translate(CpuState s, BlockCache blocks, ref BlockCache.Jump jump)
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled || !blocks.MayTranslate)
        {
            return;
        }

        ref BlockCache.Block block = ref blocks[jump.Block];
        BlockTranslation translation = new(s, blocks.Ops(in block).ToArray());
        if (s.TranslationWorker is not { } worker)
        {
            translation.Write();
        }
        else if (!worker(translation.Write))
        {
            // Executed at least once before it asks again: whoever refuses may do so for ever.
            blocks.Op(block.First).Heat = Math.Max(2, s.TranslatesAfter);
            return;
        }

        block.Translation = translation;
        jump.Translation = translation;
        blocks.CountTranslation();
    }

    /// <summary>A block on its way to a method. The block drops it when its code changes, whether it is done or not.</summary>
    internal sealed class BlockTranslation(CpuState s, MicroOp[] ops)
    {
        private TranslatedBlock? _code;

        /// <summary>The method, when there is one.</summary>
        internal TranslatedBlock? Code => Volatile.Read(ref _code);

        /// <summary>Writes and compiles the method. Any thread, once.</summary>
        internal void Write()
        {
            if (RuntimeFeature.IsDynamicCodeSupported)
            {
                Volatile.Write(ref _code, BlockWriter.Write(s, ops));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Offset(CpuState s, int register, int index, int scale, long displacement)
        => (ulong)displacement
            + (register == Instruction.NoRegister ? 0 : s.Register(register))
            + (index == Instruction.NoRegister ? 0 : s.Register(index) << scale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong SegmentBase(CpuState s, int segment) => s.Segments[segment].Base;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetNext(CpuState s, ulong rip) => s.NextRip = rip;

    /// <summary>Executes an instruction of a block by its handler.</summary>
    /// <returns>0 when the block goes on behind it, otherwise what the block returns.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Resume(ref TCpu cpu, CpuState s, ref MicroOp first, int at, ulong next, int executed)
    {
        s.NextRip = next;

        // SAFETY: a block's method has the numbers of the block's own instructions.
        ref MicroOp op = ref Unsafe.Add(ref first, at);
        if (!op.Handler.Execute(ref cpu, s, ref op))
        {
            s.Rip = next - op.Length;
            return ~executed;
        }

        return s.BlockEnd == 0 ? Leave(s, executed + 1) : 0;
    }

    /// <summary>Whether the block leads to its beginning and may be executed once more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Repeats(CpuState s, ulong rip, int wouldBeExecuted, int limit)
        => s.NextRip == rip && wouldBeExecuted <= limit && s.BlockEnd != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Leave(CpuState s, int executed)
    {
        s.Rip = s.NextRip;
        return executed;
    }
}
