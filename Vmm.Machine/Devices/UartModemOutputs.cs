// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>The lines a UART drives, with the bits of its modem control register.</summary>
[Flags]
public enum UartModemOutputs : byte
{
    /// <summary>All inactive.</summary>
    None = 0,

    /// <summary>Data terminal ready.</summary>
    DataTerminalReady = 0x01,

    /// <summary>Request to send.</summary>
    RequestToSend = 0x02,

    /// <summary>The first general output.</summary>
    Out1 = 0x04,

    /// <summary>The second general output, which on a PC's card connects the interrupt to the bus.</summary>
    Out2 = 0x08,
}
