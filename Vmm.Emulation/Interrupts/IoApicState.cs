// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of an I/O APIC.</summary>
public sealed record IoApicState
{
    /// <summary>The version of this record that <see cref="IoApic.Save"/> writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>The version of this record.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The id register.</summary>
    public uint Id { get; init; }

    /// <summary>The selected register.</summary>
    public byte Selected { get; init; }

    /// <summary>The redirection entries, one for each pin.</summary>
    public ImmutableArray<ulong> Entries { get; init; } = [];

    /// <summary>How often each pin is asserted.</summary>
    public PinCounters Assertions { get; init; } = PinCounters.Create(0);

    /// <inheritdoc/>
    public bool Equals(IoApicState? other) =>
        other is not null &&
        Version == other.Version &&
        Id == other.Id &&
        Selected == other.Selected &&
        Entries.AsSpan().SequenceEqual(other.Entries.AsSpan()) &&
        Assertions.Equals(other.Assertions);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Version, Id, Selected, Entries.Length, Assertions);
}
