// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of one 8259 that a hypervisor has, as a state of the <see cref="AtPic"/>'s chips.</summary>
public static class AtPicImage
{
    private const int Pins = 8;

    /// <summary>Reads the state.</summary>
    /// <param name="state">The hypervisor's state.</param>
    /// <param name="assertions">How often each pin is asserted, which a hypervisor does not count.</param>
    /// <returns>
    /// The state. It counts as initialized unless an initialization is under way: a hypervisor does not tell a chip that never was.
    /// </returns>
    public static Pic8259State Read(in Backend8259 state, PinCounters assertions) => new()
    {
        ExpectedIcw = state.ExpectedIcw,
        Ready = state.ExpectedIcw == 0,
        AutoEndOfInterrupt = state.AutoEndOfInterrupt,
        RotateOnAutoEndOfInterrupt = state.RotateOnAutoEndOfInterrupt,
        Poll = state.Poll,
        SpecialFullyNested = state.SpecialFullyNested,
        ReadInService = state.ReadInService,
        SpecialMask = state.SpecialMask,
        Requests = state.Requests,
        InService = state.InService,
        Mask = state.Mask,
        VectorBase = state.VectorBase,
        LowestPriority = (byte)((state.HighestPriority + Pins - 1) % Pins),
        LevelTriggered = state.LevelTriggered,
        Assertions = assertions,
    };

    /// <summary>The hypervisor's state for a state.</summary>
    /// <param name="state">The state.</param>
    /// <returns>The hypervisor's state; a pin asserted several times is asserted.</returns>
    public static Backend8259 Write(Pic8259State state)
    {
        ArgumentNullException.ThrowIfNull(state);
        byte lines = 0;
        for (int pin = 0; pin < Pins; pin++)
        {
            lines |= (byte)(state.Assertions[pin] != 0 ? 1 << pin : 0);
        }

        return new Backend8259
        {
            Requests = state.Requests,
            InService = state.InService,
            Mask = state.Mask,
            Lines = lines,
            LevelTriggered = state.LevelTriggered,
            VectorBase = state.VectorBase,
            HighestPriority = (byte)((state.LowestPriority + 1) % Pins),
            ExpectedIcw = state.ExpectedIcw,
            NeedsIcw4 = state.ExpectedIcw != 0,
            ReadInService = state.ReadInService,
            Poll = state.Poll,
            SpecialMask = state.SpecialMask,
            AutoEndOfInterrupt = state.AutoEndOfInterrupt,
            RotateOnAutoEndOfInterrupt = state.RotateOnAutoEndOfInterrupt,
            SpecialFullyNested = state.SpecialFullyNested,
        };
    }
}
