// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Devices;

namespace Vmm.Tests.Machine.Devices;

/// <summary>The other end of a UART's outputs.</summary>
internal sealed class RecordingWire : IUartWire
{
    internal List<byte> Sent { get; } = [];

    internal List<bool> Breaks { get; } = [];

    internal List<UartModemOutputs> Outputs { get; } = [];

    public void Transmit(byte value) => Sent.Add(value);

    public void SetBreak(bool active) => Breaks.Add(active);

    public void SetModemOutputs(UartModemOutputs outputs) => Outputs.Add(outputs);
}
