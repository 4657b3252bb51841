// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that an <see cref="AtPit"/> remembers. Two chips of equal state behave alike.</summary>
public readonly record struct AtPitState
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Which layout this is.</summary>
    public int Version { get; init; }

    /// <summary>The clock pulses since the VM's boot for which the counters stand.</summary>
    public long Tick { get; init; }

    /// <summary>The counter of interrupt 0.</summary>
    public PitCounterState Counter0 { get; init; }

    /// <summary>The counter of the memory refresh.</summary>
    public PitCounterState Counter1 { get; init; }

    /// <summary>The counter of the speaker.</summary>
    public PitCounterState Counter2 { get; init; }

    /// <summary>The writable bits of port 61h, 3 to 0.</summary>
    public byte SystemControl { get; init; }

    /// <summary>The level last driven on the line of interrupt 0.</summary>
    public bool Line { get; init; }
}
