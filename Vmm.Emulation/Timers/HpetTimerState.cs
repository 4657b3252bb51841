// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that one timer of an <see cref="Hpet"/> remembers.</summary>
public record struct HpetTimerState
{
    /// <summary>The writable bits of the configuration register.</summary>
    public ulong Configuration { get; set; }

    /// <summary>The FSB route register: data in the low half, address in the high one.</summary>
    public ulong Message { get; set; }

    /// <summary>The comparator.</summary>
    public ulong Comparator { get; set; }

    /// <summary>The period of a periodic timer; 0 for none.</summary>
    public ulong Period { get; set; }

    /// <summary>
    /// The next match, in ticks since the main counter was last started; <see cref="long.MaxValue"/> for never.
    /// </summary>
    public long Target { get; set; }
}
