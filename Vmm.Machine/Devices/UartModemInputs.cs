// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>The lines a UART senses, with the bits of its modem status register.</summary>
[Flags]
public enum UartModemInputs : byte
{
    /// <summary>All inactive: nothing is connected.</summary>
    None = 0,

    /// <summary>Clear to send.</summary>
    ClearToSend = 0x10,

    /// <summary>Data set ready.</summary>
    DataSetReady = 0x20,

    /// <summary>Ring indicator.</summary>
    RingIndicator = 0x40,

    /// <summary>Data carrier detect.</summary>
    CarrierDetect = 0x80,
}
