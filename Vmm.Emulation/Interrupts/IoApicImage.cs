// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Emulation.Interrupts;

/// <summary>The state of an I/O APIC that a hypervisor has, as a state of <see cref="IoApic"/>.</summary>
public static class IoApicImage
{
    private const int IdShift = 24;
    private const int IdMask = 0xf;

    /// <summary>Reads the state.</summary>
    /// <param name="state">The hypervisor's state.</param>
    /// <param name="assertions">How often each pin is asserted, which a hypervisor does not count.</param>
    /// <returns>The state.</returns>
    public static IoApicState Read(BackendIoApic state, PinCounters assertions)
    {
        ArgumentNullException.ThrowIfNull(state);
        return new IoApicState
        {
            Id = (uint)(state.Id & IdMask) << IdShift,
            Selected = state.Selected,
            Entries = state.Entries,
            Assertions = assertions,
        };
    }

    /// <summary>The hypervisor's state for a state.</summary>
    /// <param name="state">The state, with as many pins as the hypervisor's chip has.</param>
    /// <returns>The hypervisor's state; a pin asserted several times is asserted.</returns>
    public static BackendIoApic Write(IoApicState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        uint lines = 0;
        for (int pin = 0; pin < state.Assertions.Count; pin++)
        {
            lines |= state.Assertions[pin] != 0 ? 1u << pin : 0;
        }

        return new BackendIoApic((byte)((state.Id >> IdShift) & IdMask), state.Selected, state.Entries, lines);
    }
}
