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
}
