// SPDX-License-Identifier: BSD-2-Clause

using System.Collections;
using System.Numerics;

namespace Vmm.Abstractions.Vcpu;

/// <summary>An immutable set of vCPU numbers of any size (<c>cpuset_t</c>).</summary>
public readonly struct VcpuSet : IEquatable<VcpuSet>, IEnumerable<VcpuId>
{
    private readonly ulong _low;
    private readonly ulong[]? _high;

    private VcpuSet(ulong low, ulong[]? high)
    {
        _low = low;
        _high = high;
    }

    /// <summary>The set without members.</summary>
    public static VcpuSet Empty => default;

    /// <summary>How many vCPUs the set has.</summary>
    public int Count
    {
        get
        {
            int count = BitOperations.PopCount(_low);
            foreach (ulong word in _high ?? [])
            {
                count += BitOperations.PopCount(word);
            }

            return count;
        }
    }

    /// <summary>Whether the set has no members.</summary>
    public bool IsEmpty => Count == 0;

    /// <summary>Whether the vCPU is a member.</summary>
    /// <param name="id">The vCPU.</param>
    /// <returns>Whether it is a member.</returns>
    public bool Contains(VcpuId id) => id.Value >= 0 && (Word(id.Value >> 6) >> (id.Value & 63) & 1) != 0;

    /// <summary>The set with one more member.</summary>
    /// <param name="id">The vCPU, 0 or more.</param>
    /// <returns>The larger set.</returns>
    public VcpuSet With(VcpuId id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id.Value);
        return Replace(id.Value >> 6, Word(id.Value >> 6) | (1ul << (id.Value & 63)));
    }

    /// <summary>The set with one member less.</summary>
    /// <param name="id">The vCPU, 0 or more.</param>
    /// <returns>The smaller set.</returns>
    public VcpuSet Without(VcpuId id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id.Value);
        return Contains(id) ? Replace(id.Value >> 6, Word(id.Value >> 6) & ~(1ul << (id.Value & 63))) : this;
    }

    /// <summary>Whether every member of this set is a member of the other.</summary>
    /// <param name="other">The other set.</param>
    /// <returns>Whether this is a subset.</returns>
    public bool IsSubsetOf(VcpuSet other)
    {
        for (int i = 0; i < Words; i++)
        {
            if ((Word(i) & ~other.Word(i)) != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public bool Equals(VcpuSet other) => IsSubsetOf(other) && other.IsSubsetOf(this);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is VcpuSet other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_low, Count);

    /// <summary>Whether the sets have the same members.</summary>
    public static bool operator ==(VcpuSet left, VcpuSet right) => left.Equals(right);

    /// <summary>Whether the sets differ.</summary>
    public static bool operator !=(VcpuSet left, VcpuSet right) => !left.Equals(right);

    /// <summary>The members in ascending order.</summary>
    /// <returns>An enumerator.</returns>
    public IEnumerator<VcpuId> GetEnumerator()
    {
        for (int i = 0; i < Words; i++)
        {
            for (ulong word = Word(i); word != 0; word &= word - 1)
            {
                yield return new VcpuId((i << 6) + BitOperations.TrailingZeroCount(word));
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public override string ToString() => $"{{{string.Join(',', this)}}}";

    private int Words => 1 + (_high?.Length ?? 0);

    private ulong Word(int index) => index == 0 ? _low : index < Words ? _high![index - 1] : 0;

    private VcpuSet Replace(int index, ulong word)
    {
        if (index == 0)
        {
            return new(word, _high);
        }

        ulong[] high = new ulong[Math.Max(index, _high?.Length ?? 0)];
        _high?.CopyTo(high, 0);
        high[index - 1] = word;
        return new(_low, high);
    }
}
