// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that an <see cref="Rtc"/> remembers. Equal when every field and every byte is equal.</summary>
public sealed record RtcState
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Which layout this is.</summary>
    public required int Version { get; init; }

    /// <summary>The 128 bytes of the memory, registers included.</summary>
    public required ReadOnlyMemory<byte> Memory { get; init; }

    /// <summary>The index register.</summary>
    public required byte Address { get; init; }

    /// <summary>Whether bit 7 of port 70h masks the non-maskable interrupt.</summary>
    public required bool NmiMasked { get; init; }

    /// <summary>When the divider chain last completed a second, in virtual nanoseconds.</summary>
    public required long TimeBase { get; init; }

    /// <summary>Ticks of 32768 Hz since then for which the flags account.</summary>
    public required int Ticks { get; init; }

    /// <summary>The time in seconds since 1970.</summary>
    public required long Seconds { get; init; }

    /// <summary>Whether the registers hold a date that exists; the time stands still otherwise.</summary>
    public required bool IsValid { get; init; }

    /// <inheritdoc/>
    public bool Equals(RtcState? other) =>
        other is not null && Version == other.Version && Address == other.Address && NmiMasked == other.NmiMasked
        && TimeBase == other.TimeBase && Ticks == other.Ticks && Seconds == other.Seconds && IsValid == other.IsValid
        && Memory.Span.SequenceEqual(other.Memory.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Version, Address, TimeBase, Ticks, Seconds, IsValid);
}
