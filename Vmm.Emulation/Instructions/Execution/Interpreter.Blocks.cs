// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// Execution by blocks: instructions that follow each other within a page up to a control transfer, decoded once, with the handler
/// chosen for each. A block is found by its linear address and compared with memory once in an epoch; an epoch ends where the
/// processor serializes, with each run, and with a write of this CPU to decoded code.
/// </summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Runs blocks until the limit, or until an instruction has to be executed by itself (true), or does not just complete (false).</summary>
    private static bool RunBlocks(ref TCpu cpu, CpuState s, BlockCache blocks, long maximum, ref long count)
    {
        long left = maximum - count;
        while (left > 0 && !s.IsSpecial)
        {
            ulong rip = s.Rip;
            ulong linear = rip + s.CodeBase & s.CodeMask;
            ref BlockCache.Jump jump = ref blocks.JumpTo(linear);
            if (jump.Linear != linear || jump.Context != s.CodeContext || jump.Epoch != s.CodeEpoch)
            {
                jump = ref Enter(ref cpu, s, blocks, linear);
                if (Unsafe.IsNullRef(ref jump))
                {
                    break;
                }
            }

            if (rip + (uint)jump.Length - 1 > s.CodeLimit)
            {
                break;
            }

            int executed;
            ref MicroOp first = ref blocks.Op(jump.First);
            if (IsTranslatable && jump.Translation is { Code: { } code } && left >= jump.Count)
            {
                s.BlockEnd = jump.Count;
                executed = code(ref cpu, ref first, rip, (int)Math.Min(left, int.MaxValue));
            }
            else
            {
                if (IsTranslatable && first.Heat != 0 && --first.Heat == 0)
                {
                    Translate(s, blocks, ref jump);
                    continue;
                }

                s.BlockEnd = (int)Math.Min(left, jump.Count);
                executed = RunBlock(ref cpu, s, ref first, rip);
            }

            if (executed < 0)
            {
                count = maximum - left + ~executed;
                return false;
            }

            left -= executed;
        }

        bool isHalt = s.Halted && left != maximum - count;
        count = maximum - left;
        if (!isHalt)
        {
            return true;
        }

        // HLT counts as executed by its outcome.
        count--;
        s.Outcome = new(ExecutionStatus.Halted);
        return false;
    }

    /// <summary>
    /// Executes the instructions of a block. Alone in a method that the runtime neither instruments nor joins with others, so that all
    /// it needs from one instruction to the next stays in registers.
    /// </summary>
    /// <returns>How many completed; the complement of it when the next one did not.</returns>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static int RunBlock(ref TCpu cpu, CpuState s, ref MicroOp op, ulong rip)
    {
        int at = 0;
        do
        {
            if (TCpu.IsSupervised)
            {
                s.Rip = rip;
            }

            rip = rip + op.Length & s.CodeMask;
            s.NextRip = rip;
            if (TCpu.IsSupervised && !cpu.Admits(in op.Instruction))
            {
                s.Outcome = new(ExecutionStatus.Refused);
                return ~at;
            }

            if (!op.Handler.Execute(ref cpu, s, ref op))
            {
                s.Rip = rip - op.Length & s.CodeMask;
                return ~at;
            }

            if (TCpu.IsSupervised)
            {
                s.Rip = s.NextRip;
                cpu.Retired();
            }

            at++;
            op = ref Unsafe.Add(ref op, 1);
        }
        while (at < s.BlockEnd);
        s.Rip = s.NextRip;
        return at;
    }

    /// <summary>Takes over what instructions outside blocks may have changed: mode, rights, and whether blocks may run at all.</summary>
    private static void Refresh(CpuState s)
    {
        CodeSize mode = s.CodeSize;
        bool user = s.Cpl == 3;
        const ulong CacheNothing = 32;
        bool checksAlignment = user && (s.ControlFlags & FlagBits.AlignmentCheck) != 0 && (s.Cr0 & 1UL << 18) != 0;
        s.DataRights = Rights(s, isImplicit: false) | (checksAlignment ? CacheNothing : 0);
        s.CodeContext = CodeContexts.Make(user ? s.UserVersion : s.SupervisorVersion, mode, user);
        s.CodeMask = mode == CodeSize.Bits64 ? ulong.MaxValue : uint.MaxValue;
        s.CodeBase = mode == CodeSize.Bits64 ? 0 : s.Segments[(int)SegmentName.Cs].Base;
        s.CodeLimit = mode == CodeSize.Bits64 ? ulong.MaxValue : s.Segments[(int)SegmentName.Cs].Limit;
        s.IsSpecial = (s.ControlFlags & (FlagBits.Trap | FlagBits.Resume)) != 0 || s.Shadow != InterruptShadow.None || s.Halted
            || s.EndsRun || (TCpu.IsSupervised && s.WatchesAccesses);
    }

    /// <summary>Finds or decodes the block at an address, as memory holds it now; a null reference where there is none, for whatever reason.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref BlockCache.Jump Enter(scoped ref TCpu cpu, CpuState s, BlockCache blocks, ulong linear)
    {
        ref BlockCache.Jump jump = ref blocks.JumpTo(linear);
        int index = jump.Block;
        if (jump.Linear != linear || jump.Context != s.CodeContext)
        {
            index = Locate(ref cpu, s, blocks, linear);
            if (index < 0)
            {
                return ref Unsafe.NullRef<BlockCache.Jump>();
            }

            // What was decoded may have moved the table.
            jump = ref blocks.JumpTo(linear);
        }

        ref BlockCache.Block block = ref blocks[index];
        if (block.Epoch != s.CodeEpoch && !Verify(ref cpu, s, blocks, ref block))
        {
            jump = default;
            return ref Unsafe.NullRef<BlockCache.Jump>();
        }

        jump.Linear = linear;
        jump.Context = s.CodeContext;
        jump.Epoch = s.CodeEpoch;
        jump.Translation = block.Translation;
        jump.Block = index;
        jump.First = block.First;
        jump.Length = block.Length;
        jump.Count = block.Count;
        return ref jump;
    }

    /// <summary>The number of the block at an address; -1 where there is none.</summary>
    private static int Locate(ref TCpu cpu, CpuState s, BlockCache blocks, ulong linear)
    {
        ExecutionPhase phase = s.Begin(ExecutionPhase.Decode);
        int index = Find(ref cpu, s, blocks, linear);
        s.Begin(phase);
        return index;
    }

    private static int Find(ref TCpu cpu, CpuState s, BlockCache blocks, ulong linear)
    {
        if (!Translate(ref cpu, s, linear, TranslationCache.Fetch, out ulong physical))
        {
            return -1;
        }

        CodeSize mode = CodeContexts.CodeSizeOf(s.CodeContext);
        int index = blocks.Find(physical, mode);
        if (index < 0)
        {
            if (blocks.MakeRoom())
            {
                s.CodePages.Clear();
                s.OtherBlocks = null;
            }

            index = blocks.Add(physical, mode);
        }

        ref BlockCache.Block block = ref blocks[index];
        if (block.Count == 0 && !Decode(ref cpu, s, blocks, ref block))
        {
            return -1;
        }

        s.Translations.NoteCode(linear, s.Cpl == 3);
        return index;
    }

    /// <summary>Whether memory still holds what a block was decoded from; if not it is decoded again.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Verify(ref TCpu cpu, CpuState s, BlockCache blocks, ref BlockCache.Block block)
    {
        ExecutionPhase phase = s.Begin(ExecutionPhase.Decode);
        bool holds = Compare(ref cpu, s, blocks, ref block);
        s.Begin(phase);
        return holds;
    }

    private static bool Compare(ref TCpu cpu, CpuState s, BlockCache blocks, ref BlockCache.Block block)
    {
        if (block.Count == 0)
        {
            return false;
        }

        ref byte memory = ref cpu.Ram(block.Physical, block.Length, write: false);
        if (Unsafe.IsNullRef(ref memory))
        {
            return false;
        }

        if (!MemoryMarshal.CreateReadOnlySpan(ref memory, block.Length).SequenceEqual(blocks.Bytes(in block)))
        {
            return Decode(ref cpu, s, blocks, ref block);
        }

        block.Epoch = s.CodeEpoch;
        return true;
    }

    /// <summary>Decodes a block. Another CPU may be writing here: what is decoded is the copy that the block keeps.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Decode(ref TCpu cpu, CpuState s, BlockCache blocks, ref BlockCache.Block block)
    {
        int room = Math.Min(BlockCache.MaximumLength, 0x1000 - (int)(block.Physical & PageMask));
        ref byte memory = ref cpu.Ram(block.Physical, room, write: false);
        if (Unsafe.IsNullRef(ref memory))
        {
            return false;
        }

        Span<byte> copy = stackalloc byte[BlockCache.MaximumLength];
        copy = copy[..room];
        MemoryMarshal.CreateReadOnlySpan(ref memory, room).CopyTo(copy);
        Span<MicroOp> ops = blocks.Scratch;
        int count = 0;
        int length = 0;
        while (count < BlockCache.MaximumCount)
        {
            ReadOnlySpan<byte> window = copy[length..Math.Min(room, length + Decoder.MaximumLength)];
            if (Decoder.Decode(window, block.Mode, out Instruction decoded) != DecodeStatus.Decoded)
            {
                break;
            }

            length += decoded.Length;
            bool ends = Select(in decoded, out ops[count++]);
            if (ends || length == room)
            {
                break;
            }
        }

        if (count == 0 || !blocks.TrySet(ref block, copy[..length], ops[..count]))
        {
            BlockCache.Retire(ref block, isEmpty: count == 0);
            return false;
        }

        block.Epoch = s.CodeEpoch;
        block.Translation = null;
        blocks.Op(block.First).Heat = block.Mode == CodeSize.Bits64 ? s.TranslatesAfter : 0;
        if (s.CodePages.Add(block.Physical, length))
        {
            s.Translations.DropHostWrites(block.Physical & ~PageMask);
        }

        return true;
    }

    /// <summary>Instructions after which changes of code have to be seen (volume 3, serializing instructions).</summary>
    private static bool IsSerializing(Operation operation)
        => operation is Operation.MovCr or Operation.MovDr or Operation.Wrmsr or Operation.Cpuid or Operation.Iret or Operation.Invlpg
            or Operation.Invpcid or Operation.Invd or Operation.Wbinvd or Operation.Wbnoinvd or Operation.Lgdt or Operation.Lidt
            or Operation.Lldt or Operation.Ltr or Operation.Lmsw or Operation.Rsm or Operation.Serialize;
}
