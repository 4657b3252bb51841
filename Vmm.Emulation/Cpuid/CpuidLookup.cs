// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// Answers CPUID from a configuration's entries as a walk over them in their order would, in constant time and without
/// allocating. Immutable; any thread.
/// </summary>
/// <remarks>
/// The walk: the first entry whose function is the one asked for, and whose index is or does not matter, answers. It ends in
/// zeros at an entry with a greater function of the same range (top four bits), and stops at one of another range. When it
/// found nothing, an existing leaf's missing subleaf reads zero; otherwise, with Intel's fallback, the last entry of the
/// standard range that the walk passed answers, and zeros when there was none.
/// </remarks>
public sealed class CpuidLookup : ICpuidSource
{
    private const int Ranges = 16;
    private const int Zeros = -1;
    private const int Free = -2;
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    private readonly Slot[] _exact;
    private readonly Slot[] _leaves;
    private readonly int _shift;
    private readonly CpuidEntry[] _entries;
    private readonly uint[] _greatest = new uint[Ranges];
    private readonly bool[] _occupied = new bool[Ranges];
    private readonly int[] _fallback = new int[Ranges];

    /// <summary>Builds the lookup.</summary>
    /// <param name="configuration">The configuration; one with legacy handling has no entries and answers zeros.</param>
    public CpuidLookup(CpuidConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _entries = [.. configuration.Entries];
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, _entries.Length * 4));
        _shift = 64 - BitOperations.Log2((uint)size);
        _exact = new Slot[size];
        _leaves = new Slot[size];
        _exact.AsSpan().Fill(new Slot(0, Free));
        _leaves.AsSpan().Fill(new Slot(0, Free));
        AddReachable();
        FindFallbacks((configuration.Flags & CpuidFlags.IntelFallback) != 0);
    }

    /// <inheritdoc/>
    public CpuidEntry Query(uint function, uint index)
    {
        int number = Find(_exact, Key(function, index));
        if (number == Free)
        {
            number = Find(_leaves, function);
        }

        if (number == Free)
        {
            uint range = function >> 28;
            number = _occupied[range] && _greatest[range] > function ? Zeros : _fallback[range];
        }

        return number < 0
            ? new CpuidEntry(function, index, false, 0, 0, 0, 0)
            : _entries[number] with { Function = function, Index = index };
    }

    private static ulong Key(uint function, uint index) => (ulong)function << 32 | index;

    private int Find(Slot[] slots, ulong key)
    {
        // A quarter of the slots is taken at most, so there is always a free one that ends the search.
        for (uint at = (uint)(key * Spread >> _shift); ; at++)
        {
            ref readonly Slot slot = ref slots[at & (uint)(slots.Length - 1)];
            if (slot.Key == key || slot.Number == Free)
            {
                return slot.Number;
            }
        }
    }

    private void Add(Slot[] slots, ulong key, int number)
    {
        uint at = (uint)(key * Spread >> _shift);
        while (slots[at & (uint)(slots.Length - 1)].Number != Free)
        {
            at++;
        }

        slots[at & (uint)(slots.Length - 1)] = new Slot(key, number);
    }

    /// <summary>
    /// The walk reaches an entry for its own function only when no entry before it has a greater one; and one for any index
    /// hides those of its leaf that come after it.
    /// </summary>
    private void AddReachable()
    {
        uint greatest = 0;
        bool isHidden = false;
        int leaf = Free;
        for (int number = 0; number < _entries.Length; number++)
        {
            ref readonly CpuidEntry entry = ref _entries[number];
            bool isNew = number == 0 || entry.Function > greatest;
            if (!isNew && (entry.Function < greatest || isHidden))
            {
                continue;
            }

            if (isNew)
            {
                EndLeaf(greatest, leaf);
                leaf = Zeros;
                isHidden = false;
            }

            greatest = entry.Function;
            _greatest[greatest >> 28] = greatest;
            _occupied[greatest >> 28] = true;
            if (!entry.MatchIndex)
            {
                leaf = number;
                isHidden = true;
            }
            else if (Find(_exact, Key(entry.Function, entry.Index)) == Free)
            {
                Add(_exact, Key(entry.Function, entry.Index), number);
            }
        }

        EndLeaf(greatest, leaf);
    }

    private void EndLeaf(uint function, int leaf)
    {
        if (leaf != Free)
        {
            Add(_leaves, function, leaf);
        }
    }

    /// <summary>For each range what answers a function beyond its last one.</summary>
    private void FindFallbacks(bool intel)
    {
        for (uint range = 0; range < Ranges; range++)
        {
            int last = Zeros;
            foreach ((int number, CpuidEntry entry) in _entries.Index())
            {
                if (entry.Function >> 28 > range)
                {
                    break;
                }

                last = entry.Function >> 28 == 0 ? number : last;
            }

            _fallback[range] = intel ? last : Zeros;
        }
    }

    private readonly record struct Slot(ulong Key, int Number);
}
