// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>
/// Counts a VM's accesses to model-specific registers, by register and by who answered, and tells the first of each so that it
/// can be logged once. Any thread. Does not allocate after it is made, however many registers a guest tries.
/// </summary>
public sealed class MsrAccessLog
{
    /// <summary>As many pairs of register and answer are told apart; a guest that tries more is counted in one sum.</summary>
    public const int Capacity = 1024;

    private const int Size = Capacity * 2;
    private const uint Spread = 0x9e37_79b1;
    private const int AnswerBits = 3;

    // Zero is a free slot; a key is one more than the register and the answer side by side.
    private readonly long[] _keys = new long[Size];
    private readonly long[] _reads = new long[Size];
    private readonly long[] _writes = new long[Size];
    private int _count;
    private long _others;

    /// <summary>The accesses that found no room of their own.</summary>
    public long Others => Interlocked.Read(ref _others);

    /// <summary>Counts an access.</summary>
    /// <param name="index">The register.</param>
    /// <param name="isWrite">Whether it was a write.</param>
    /// <param name="answer">Who answered.</param>
    /// <returns>Whether it is the first of its kind: that register, direction and answer.</returns>
    public bool Record(MsrIndex index, bool isWrite, MsrAnswer answer)
    {
        long key = ((long)index.Value << AnswerBits | (long)answer) + 1;
        int slot = Find(key);
        if (slot < 0)
        {
            Interlocked.Increment(ref _others);
            return false;
        }

        return Interlocked.Increment(ref (isWrite ? _writes : _reads)[slot]) == 1;
    }

    /// <summary>The counts so far, by register; those of accesses in progress may be missing.</summary>
    /// <returns>The counts.</returns>
    public ImmutableArray<MsrAccessCount> Snapshot()
    {
        List<MsrAccessCount> counts = [];
        for (int slot = 0; slot < Size; slot++)
        {
            long key = Interlocked.Read(ref _keys[slot]) - 1;
            if (key >= 0)
            {
                counts.Add(new MsrAccessCount(
                    new MsrIndex((uint)(key >> AnswerBits)),
                    (MsrAnswer)(key & ((1 << AnswerBits) - 1)),
                    Interlocked.Read(ref _reads[slot]),
                    Interlocked.Read(ref _writes[slot])));
            }
        }

        return [.. counts.OrderBy(count => count.Index.Value).ThenBy(count => count.Answer)];
    }

    private int Find(long key)
    {
        for (uint at = (uint)(key * Spread) >> 8; ; at++)
        {
            int slot = (int)(at % Size);
            long taken = Interlocked.Read(ref _keys[slot]);
            if (taken == key)
            {
                return slot;
            }

            if (taken != 0)
            {
                continue;
            }

            if (Interlocked.Increment(ref _count) > Capacity)
            {
                Interlocked.Decrement(ref _count);
                return -1;
            }

            long before = Interlocked.CompareExchange(ref _keys[slot], key, 0);
            if (before == 0 || before == key)
            {
                if (before == key)
                {
                    Interlocked.Decrement(ref _count);
                }

                return slot;
            }

            Interlocked.Decrement(ref _count);
        }
    }
}
