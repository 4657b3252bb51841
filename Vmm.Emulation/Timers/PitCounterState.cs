// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>Everything that one counter of an <see cref="AtPit"/> remembers. Two counters of equal state behave alike.</summary>
public record struct PitCounterState
{
    /// <summary>Bits 5 to 0 of the control word as they were written: access, mode, BCD.</summary>
    public byte Control { get; set; }

    /// <summary>The count register CR: the count last written.</summary>
    public ushort CountRegister { get; set; }

    /// <summary>Whether a count has been written since the control word.</summary>
    public bool CountWritten { get; set; }

    /// <summary>The low byte of a count whose high byte has not been written yet.</summary>
    public byte WriteLatch { get; set; }

    /// <summary>Whether the next byte written is the high one.</summary>
    public bool WriteHigh { get; set; }

    /// <summary>The counting element CE: 0 to 65536 (binary) or 10000 (decimal), which read as zero.</summary>
    public int CountingElement { get; set; }

    /// <summary>Whether the counting element has been loaded and counts.</summary>
    public bool Running { get; set; }

    /// <summary>Whether the next clock pulse loads the counting element.</summary>
    public bool LoadPending { get; set; }

    /// <summary>Whether the counting element holds another count than the count register (status bit 6).</summary>
    public bool NullCount { get; set; }

    /// <summary>Mode 3: whether the present half cycle began with an odd count.</summary>
    public bool OddHalf { get; set; }

    /// <summary>Modes 4 and 5: whether the strobe is still to come.</summary>
    public bool StrobeArmed { get; set; }

    /// <summary>The level at the GATE input.</summary>
    public bool Gate { get; set; }

    /// <summary>The level at the OUT pin.</summary>
    public bool Output { get; set; }

    /// <summary>Whether the next byte read from the running count is the high one.</summary>
    public bool ReadHigh { get; set; }

    /// <summary>Whether a count is latched.</summary>
    public bool CountLatched { get; set; }

    /// <summary>The latched count, as it is read.</summary>
    public ushort LatchedCount { get; set; }

    /// <summary>Whether the next byte read from the latched count is the high one.</summary>
    public bool LatchHigh { get; set; }

    /// <summary>Whether a status byte is latched.</summary>
    public bool StatusLatched { get; set; }

    /// <summary>The latched status byte.</summary>
    public byte LatchedStatus { get; set; }
}
