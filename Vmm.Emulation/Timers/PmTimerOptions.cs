// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Emulation.Timers;

/// <summary>What a <see cref="PmTimer"/> is built with; the defaults are bhyve's.</summary>
public sealed record PmTimerOptions
{
    /// <summary>Whether the counter has 24 bits instead of 32 (TMR_VAL_EXT clear in the FADT).</summary>
    public bool Narrow { get; init; }

    /// <summary>The system control interrupt, level-triggered; null when nothing listens.</summary>
    public IInterruptLine? SystemControlInterrupt { get; init; }

    /// <summary>
    /// Moves the timer's port: given the old port, null at first, and the new one. Throws what
    /// <see cref="Abstractions.Chips.IPmTimer.Locate"/> throws; the timer is then nowhere if the old port was given up.
    /// </summary>
    public Action<ushort?, ushort>? Relocate { get; init; }
}
