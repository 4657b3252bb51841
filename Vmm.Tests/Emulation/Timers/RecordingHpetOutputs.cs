// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>Writes down what an HPET does to its outputs, and when.</summary>
internal sealed class RecordingHpetOutputs(IVirtualClock clock) : IHpetOutputs
{
    internal List<(long Time, string What)> Log { get; } = [];

    internal uint Pins { get; private set; }

    public void SetPin(int pin, bool asserted)
    {
        Pins = asserted ? Pins | (1u << pin) : Pins & ~(1u << pin);
        Log.Add((clock.Now, $"pin {pin} {(asserted ? "up" : "down")}"));
    }

    public void SetLegacyLine(int timer, bool asserted) => Log.Add((clock.Now, $"legacy {timer} {(asserted ? "up" : "down")}"));

    public void SetLegacyRouting(bool enabled) => Log.Add((clock.Now, $"legacy routing {(enabled ? "on" : "off")}"));

    public void SendMessage(uint address, uint data) => Log.Add((clock.Now, $"message {address:x} {data:x}"));
}
