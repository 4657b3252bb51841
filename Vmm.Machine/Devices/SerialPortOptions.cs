// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>How a <see cref="SerialPort"/> is wired.</summary>
public sealed record SerialPortOptions
{
    /// <summary>Bytes of host input that wait outside the chip at most; at least 1.</summary>
    public int InputCapacity { get; init; } = 64 * 1024;

    /// <summary>
    /// Whether OUT2 connects the interrupt to the bus, as on a PC's card. Off by default: other virtual machines do not gate
    /// it either, and guests written against them never set OUT2.
    /// </summary>
    public bool GateInterruptWithOut2 { get; init; }

    /// <summary>The lines that the other end holds active; by default those of a terminal that is switched on.</summary>
    public UartModemInputs ModemInputs { get; init; } =
        UartModemInputs.ClearToSend | UartModemInputs.DataSetReady | UartModemInputs.CarrierDetect;

    /// <summary>
    /// Called when input that had been refused could now be queued; on a vCPU's thread, outside the port's lock. Must return
    /// soon and not throw.
    /// </summary>
    public Action? OnInputRoom { get; init; }
}
