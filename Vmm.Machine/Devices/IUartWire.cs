// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// What is at the other end of a UART's output lines. Called on the thread that drives the chip; must neither throw nor
/// call back into the chip.
/// </summary>
public interface IUartWire
{
    /// <summary>A character leaves the transmitter.</summary>
    /// <param name="value">The character; as many low bits as the line control register says were sent.</param>
    void Transmit(byte value);

    /// <summary>The transmit line goes to the break level or comes back from it.</summary>
    /// <param name="active">Whether the line is at the break level.</param>
    void SetBreak(bool active);

    /// <summary>The modem control outputs change; all are inactive while the chip is in loopback.</summary>
    /// <param name="outputs">The active ones.</param>
    void SetModemOutputs(UartModemOutputs outputs);
}
