// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>
/// Interrupts into controllers that the hypervisor has. An optional interface of a backend VM; any thread.
/// </summary>
public interface IBackendInterrupts
{
    /// <summary>Drives a line of the 8259 pair and the I/O APIC. Only in kernel mode.</summary>
    /// <param name="line">The global system interrupt, from 0.</param>
    /// <param name="asserted">Its level.</param>
    void SetLine(int line, bool asserted);

    /// <summary>Sends a message-signalled interrupt. In kernel and split mode.</summary>
    /// <param name="address">The message's address.</param>
    /// <param name="data">The message's data.</param>
    /// <returns>Whether a local APIC took it; <see langword="false"/> when the guest has blocked it.</returns>
    bool SignalMsi(ulong address, uint data);

    /// <summary>
    /// Tells where the level-triggered interrupts of a pin of the engine's I/O APIC go, so that their ends are reported as
    /// <see cref="Vcpu.ExitCode.IoapicEoi"/>. Only in split mode.
    /// </summary>
    /// <param name="pin">The pin, 0 to 23.</param>
    /// <param name="message">The message's address and data, or null when the pin has none.</param>
    void SetLevelRoute(int pin, (ulong Address, uint Data)? message);
}
