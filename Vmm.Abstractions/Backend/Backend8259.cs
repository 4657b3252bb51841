// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>The state of one 8259 of a hypervisor, in the data sheet's terms (Intel 231468).</summary>
public readonly record struct Backend8259
{
    /// <summary>The request register (IRR).</summary>
    public byte Requests { get; init; }

    /// <summary>The in-service register (ISR).</summary>
    public byte InService { get; init; }

    /// <summary>The mask register (IMR).</summary>
    public byte Mask { get; init; }

    /// <summary>The pins that are asserted, as the edge detectors have seen them last.</summary>
    public byte Lines { get; init; }

    /// <summary>The level-triggered pins (ELCR).</summary>
    public byte LevelTriggered { get; init; }

    /// <summary>The vector of pin 0.</summary>
    public byte VectorBase { get; init; }

    /// <summary>The pin of highest priority, 0 to 7.</summary>
    public byte HighestPriority { get; init; }

    /// <summary>Which initialization command word is expected next: 0 none, 1 to 3 for ICW2 to ICW4.</summary>
    public byte ExpectedIcw { get; init; }

    /// <summary>Whether ICW1 asked for an ICW4.</summary>
    public bool NeedsIcw4 { get; init; }

    /// <summary>Whether reads of the command port give the in-service register.</summary>
    public bool ReadInService { get; init; }

    /// <summary>Whether the next read polls.</summary>
    public bool Poll { get; init; }

    /// <summary>Special mask mode.</summary>
    public bool SpecialMask { get; init; }

    /// <summary>Whether an acknowledged request ends by itself.</summary>
    public bool AutoEndOfInterrupt { get; init; }

    /// <summary>Whether the priorities rotate at each automatic end of interrupt.</summary>
    public bool RotateOnAutoEndOfInterrupt { get; init; }

    /// <summary>Special fully nested mode.</summary>
    public bool SpecialFullyNested { get; init; }
}
