// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The memory behind <see cref="RunBlocks"/>.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>
    /// Blocks by physical address and code size, and a direct-mapped table that finds them by linear address. Tables grow with use up
    /// to a limit; then all is forgotten and begins anew, so that nothing is ever allocated in a steady state.
    /// </summary>
    internal sealed class BlockCache
    {
        /// <summary>Bytes of a block at most.</summary>
        internal const int MaximumLength = 256;

        /// <summary>Instructions of a block at most.</summary>
        internal const int MaximumCount = 24;

        private const int FirstBlocks = 64;
        private const int MostBlocks = 1 << 16;
        private const int MostJumps = 1 << 13;
        private const int MostTranslations = 1 << 12;
        private const int OpsPerBlock = 6;
        private const int BytesPerBlock = 24;

        private readonly MicroOp[] _scratch = new MicroOp[MaximumCount];
        private Block[] _blocks = new Block[FirstBlocks];
        private int[] _buckets = new int[FirstBlocks];
        private MicroOp[] _ops = new MicroOp[FirstBlocks * OpsPerBlock];
        private byte[] _bytes = new byte[FirstBlocks * BytesPerBlock];
        private Jump[] _jumps = new Jump[FirstBlocks];
        private int _blockCount;
        private int _opCount;
        private int _byteCount;
        private int _translationCount;

        /// <summary>A place to decode to.</summary>
        internal Span<MicroOp> Scratch => _scratch;

        internal ref Block this[int index] => ref _blocks[index];

        /// <summary>The cache of a CPU for this binding.</summary>
        internal static BlockCache Of(CpuState s)
        {
            if (s.Blocks is BlockCache blocks)
            {
                return blocks;
            }

            (s.Blocks, s.OtherBlocks) = (s.OtherBlocks, s.Blocks);
            if (s.Blocks is BlockCache other)
            {
                return other;
            }

            blocks = new();
            s.Blocks = blocks;
            _ = s.Translations;
            return blocks;
        }

        /// <summary>The entry for a linear address.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref Jump JumpTo(ulong linear)
        {
            Jump[] jumps = _jumps;

            // SAFETY: the index is masked to the array's length, a power of two.
            return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(jumps), (int)(linear ^ linear >> 11) & (jumps.Length - 1));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal ref MicroOp Op(int index)
        {
            // SAFETY: blocks are set with instructions that exist.
            return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_ops), index);
        }

        internal ReadOnlySpan<MicroOp> Ops(in Block block) => _ops.AsSpan(block.First, block.Count);

        internal ReadOnlySpan<byte> Bytes(in Block block) => _bytes.AsSpan(block.BytesAt, block.Length);

        /// <summary>The index of a block, or -1.</summary>
        internal int Find(ulong physical, CodeSize mode)
        {
            int index = _buckets[Bucket(physical, mode)] - 1;
            while (index >= 0 && (_blocks[index].Physical != physical || _blocks[index].Mode != mode))
            {
                index = _blocks[index].Next - 1;
            }

            return index;
        }

        /// <summary>Makes sure that one more block of any size fits; true if everything had to be forgotten for it.</summary>
        internal bool MakeRoom()
        {
            if (_blockCount < _blocks.Length && _opCount + MaximumCount <= _ops.Length && _byteCount + MaximumLength <= _bytes.Length)
            {
                return false;
            }

            if (_blocks.Length == MostBlocks)
            {
                Array.Clear(_blocks);
                Array.Clear(_buckets);
                Array.Clear(_jumps);
                _blockCount = 0;
                _opCount = 0;
                _byteCount = 0;
                _translationCount = 0;
                return true;
            }

            int size = _blocks.Length * 2;
            Array.Resize(ref _blocks, size);
            Array.Resize(ref _ops, size * OpsPerBlock);
            Array.Resize(ref _bytes, size * BytesPerBlock);
            _jumps = new Jump[Math.Min(size, MostJumps)];
            _buckets = new int[size];
            for (int i = 0; i < _blockCount; i++)
            {
                ref int bucket = ref _buckets[Bucket(_blocks[i].Physical, _blocks[i].Mode)];
                _blocks[i].Next = bucket;
                bucket = i + 1;
            }

            return false;
        }

        /// <summary>A new, empty block. <see cref="MakeRoom"/> was called.</summary>
        internal int Add(ulong physical, CodeSize mode)
        {
            ref int bucket = ref _buckets[Bucket(physical, mode)];
            _blocks[_blockCount] = new() { Physical = physical, Mode = mode, Next = bucket };
            bucket = ++_blockCount;
            return _blockCount - 1;
        }

        /// <summary>Gives a block its instructions: a new one in a place of its own, one that changed in its old place if they fit.</summary>
        internal bool TrySet(ref Block block, ReadOnlySpan<byte> bytes, ReadOnlySpan<MicroOp> ops)
        {
            if (ops.Length > block.OpRoom || bytes.Length > block.ByteRoom)
            {
                if (block.OpRoom != 0 || _opCount + ops.Length > _ops.Length || _byteCount + bytes.Length > _bytes.Length)
                {
                    return false;
                }

                block.First = _opCount;
                block.BytesAt = _byteCount;
                block.OpRoom = (byte)ops.Length;
                block.ByteRoom = (short)bytes.Length;
                _opCount += ops.Length;
                _byteCount += bytes.Length;
            }

            ops.CopyTo(_ops.AsSpan(block.First));
            bytes.CopyTo(_bytes.AsSpan(block.BytesAt));
            block.Count = (byte)ops.Length;
            block.Length = (short)bytes.Length;
            return true;
        }

        /// <summary>Whether one more block may be translated.</summary>
        internal bool MayTranslate => _translationCount < MostTranslations;

        /// <summary>One more was.</summary>
        internal void CountTranslation() => _translationCount++;

        /// <summary>Leaves a block without instructions; unless the code is such that there are none, another takes its place.</summary>
        internal static void Retire(ref Block block, bool isEmpty)
        {
            block.Count = 0;
            block.Epoch = -1;
            block.Translation = null;
            if (!isEmpty)
            {
                block.Physical = ulong.MaxValue;
            }
        }

        private int Bucket(ulong physical, CodeSize mode) => (int)(physical ^ physical >> 13 ^ (ulong)mode << 5) & (_buckets.Length - 1);

        /// <summary>A run of instructions.</summary>
        internal struct Block
        {
            internal ulong Physical;
            internal int First;
            internal int BytesAt;
            internal long Epoch;

            /// <summary>The block as a method, asked for when it was executed often enough.</summary>
            internal BlockTranslation? Translation;

            /// <summary>The next in the bucket, plus one.</summary>
            internal int Next;

            internal short Length;
            internal short ByteRoom;
            internal byte Count;
            internal byte OpRoom;
            internal CodeSize Mode;
        }

        /// <summary>Where a linear address leads, with what executing a block takes, so that it is one place to look at.</summary>
        internal struct Jump
        {
            internal ulong Linear;
            internal ulong Context;

            /// <summary>The epoch in which the block was as it is here.</summary>
            internal long Epoch;

            /// <inheritdoc cref="Block.Translation"/>
            internal BlockTranslation? Translation;

            internal int Block;
            internal int First;
            internal short Length;
            internal byte Count;
        }
    }
}
