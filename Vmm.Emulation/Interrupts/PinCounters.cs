// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Emulation.Interrupts;

/// <summary>How often each pin of a chip is asserted, as part of its saved state. Compares by value.</summary>
public sealed class PinCounters : IEquatable<PinCounters>
{
    private readonly ImmutableArray<uint> _counts;

    /// <summary>Takes a copy of the counts.</summary>
    /// <param name="counts">One count for each pin.</param>
    public PinCounters(ReadOnlySpan<uint> counts) => _counts = [.. counts];

    /// <summary>How many pins there are.</summary>
    public int Count => _counts.Length;

    /// <summary>The count of a pin; zero for a pin that is not there.</summary>
    /// <param name="pin">The pin.</param>
    public uint this[int pin] => (uint)pin < (uint)_counts.Length ? _counts[pin] : 0;

    /// <summary>Counts of zero.</summary>
    /// <param name="pins">How many pins.</param>
    /// <returns>The counters.</returns>
    public static PinCounters Create(int pins) => new(new uint[pins]);

    /// <inheritdoc/>
    public bool Equals(PinCounters? other) => other is not null && _counts.AsSpan().SequenceEqual(other._counts.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PinCounters);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (uint count in _counts)
        {
            hash.Add(count);
        }

        return hash.ToHashCode();
    }
}
