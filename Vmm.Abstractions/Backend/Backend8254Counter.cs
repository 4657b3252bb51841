// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Time;

namespace Vmm.Abstractions.Backend;

/// <summary>The state of one counter of a hypervisor's 8254, in the data sheet's terms (82C54).</summary>
public readonly record struct Backend8254Counter
{
    /// <summary>Whether it has had a control word.</summary>
    public bool IsProgrammed { get; init; }

    /// <summary>Bits 5 to 0 of the control word: access, mode, BCD.</summary>
    public byte Control { get; init; }

    /// <summary>The count register.</summary>
    public ushort CountRegister { get; init; }

    /// <summary>When the count was loaded, by the host's clock; the present when written.</summary>
    public HostTime LoadedAt { get; init; }

    /// <summary>The level at the GATE input.</summary>
    public bool Gate { get; init; }

    /// <summary>The low byte of a count whose high byte has not been written yet.</summary>
    public byte WriteLatch { get; init; }

    /// <summary>Whether the next byte written is the high one of two.</summary>
    public bool WriteHigh { get; init; }

    /// <summary>Whether the next byte read from the running count is the high one of two.</summary>
    public bool ReadHigh { get; init; }

    /// <summary>Whether a count is latched.</summary>
    public bool CountLatched { get; init; }

    /// <summary>The latched count.</summary>
    public ushort LatchedCount { get; init; }

    /// <summary>Whether the next byte read from the latched count is the high one of two.</summary>
    public bool LatchHigh { get; init; }

    /// <summary>Whether a status byte is latched.</summary>
    public bool StatusLatched { get; init; }

    /// <summary>The latched status byte.</summary>
    public byte LatchedStatus { get; init; }
}
