// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of one 8259.</summary>
public sealed record Pic8259State
{
    /// <summary>Which initialization command word is expected next: 0 none, 1 to 3 for ICW2 to ICW4.</summary>
    public byte ExpectedIcw { get; init; }

    /// <summary>Whether it has been initialized.</summary>
    public bool Ready { get; init; }

    /// <summary>Whether an acknowledged request ends by itself.</summary>
    public bool AutoEndOfInterrupt { get; init; }

    /// <summary>Whether the priorities rotate at each automatic end of interrupt.</summary>
    public bool RotateOnAutoEndOfInterrupt { get; init; }

    /// <summary>Whether the next read polls.</summary>
    public bool Poll { get; init; }

    /// <summary>Special fully nested mode; of the master only.</summary>
    public bool SpecialFullyNested { get; init; }

    /// <summary>Whether reads of the command port give the in-service register instead of the request register.</summary>
    public bool ReadInService { get; init; }

    /// <summary>Special mask mode.</summary>
    public bool SpecialMask { get; init; }

    /// <summary>The request register (IRR).</summary>
    public byte Requests { get; init; }

    /// <summary>The in-service register (ISR).</summary>
    public byte InService { get; init; }

    /// <summary>The mask register (IMR).</summary>
    public byte Mask { get; init; }

    /// <summary>The vector of pin 0, a multiple of 8.</summary>
    public byte VectorBase { get; init; }

    /// <summary>The pin of lowest priority, 0 to 7.</summary>
    public byte LowestPriority { get; init; }

    /// <summary>The level-triggered pins (ELCR).</summary>
    public byte LevelTriggered { get; init; }

    /// <summary>How often each pin is asserted.</summary>
    public PinCounters Assertions { get; init; } = PinCounters.Create(8);
}
