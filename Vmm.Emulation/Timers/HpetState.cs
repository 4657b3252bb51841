// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that an <see cref="Hpet"/> remembers. Equal when every field and every timer is equal.</summary>
public sealed record HpetState
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Which layout this is.</summary>
    public required int Version { get; init; }

    /// <summary>The configuration register.</summary>
    public required ulong Configuration { get; init; }

    /// <summary>The interrupt status register.</summary>
    public required uint Status { get; init; }

    /// <summary>The main counter when it was last stopped, started or written.</summary>
    public required ulong CounterBase { get; init; }

    /// <summary>When it was last started or written, in virtual nanoseconds.</summary>
    public required long TimeBase { get; init; }

    /// <summary>The timers.</summary>
    public required IReadOnlyList<HpetTimerState> Timers { get; init; }

    /// <inheritdoc/>
    public bool Equals(HpetState? other) =>
        other is not null && Version == other.Version && Configuration == other.Configuration && Status == other.Status
        && CounterBase == other.CounterBase && TimeBase == other.TimeBase && Timers.SequenceEqual(other.Timers);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Version, Configuration, Status, CounterBase, TimeBase, Timers.Count);
}
