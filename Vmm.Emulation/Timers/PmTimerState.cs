// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that a <see cref="PmTimer"/> remembers. Two chips of equal state behave alike.</summary>
public readonly record struct PmTimerState
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Which layout this is.</summary>
    public int Version { get; init; }

    /// <summary>When the counter was zero, in virtual nanoseconds.</summary>
    public long TimeBase { get; init; }

    /// <summary>Half turns of the counter that TMR_STS accounts for.</summary>
    public long HalfTurns { get; init; }

    /// <summary>TMR_STS: the highest bit of the counter has changed.</summary>
    public bool Status { get; init; }

    /// <summary>TMR_EN: it raises the system control interrupt.</summary>
    public bool Enabled { get; init; }

    /// <summary>Where the timer is; null for nowhere.</summary>
    public ushort? Port { get; init; }
}
