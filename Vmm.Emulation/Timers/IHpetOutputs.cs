// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <summary>
/// The interrupt outputs of an <see cref="Hpet"/>. Called from any thread with the chip's lock held: an implementation must
/// not call the chip and must not throw.
/// </summary>
public interface IHpetOutputs
{
    /// <summary>Drives an input of the I/O APIC; an edge comes as true, then false.</summary>
    /// <param name="pin">The input, 1 to 31, one of <see cref="HpetOptions.Routes"/>.</param>
    /// <param name="asserted">The level.</param>
    void SetPin(int pin, bool asserted);

    /// <summary>
    /// Drives a line of the legacy replacement routing: that of the 8254 (interrupt 0, I/O APIC input 2) by timer 0, that of
    /// the real-time clock (interrupt 8) by timer 1. A chip without the option never calls it.
    /// </summary>
    /// <param name="timer">0 or 1.</param>
    /// <param name="asserted">The level.</param>
    void SetLegacyLine(int timer, bool asserted);

    /// <summary>The guest has switched the legacy replacement routing: the 8254 and the clock are cut off from their lines.</summary>
    /// <param name="enabled">Whether it is on.</param>
    void SetLegacyRouting(bool enabled);

    /// <summary>Sends a message-signalled interrupt.</summary>
    /// <param name="address">Its address.</param>
    /// <param name="data">Its data.</param>
    void SendMessage(uint address, uint data);
}
