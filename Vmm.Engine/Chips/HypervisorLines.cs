// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Emulation.Interrupts;

namespace Vmm.Engine.Chips;

/// <summary>
/// The inputs of the hypervisor's I/O APIC and 8259 pair, which count their assertions as the engine's chips do. Any thread; one lock,
/// under which the hypervisor is told.
/// </summary>
internal sealed class HypervisorLines : ILineTarget
{
    private const int TimerInterrupt = 0;
    private const int TimerPin = 2;
    private const int RequestsOfOneChip = 8;

    private readonly IBackendInterrupts _interrupts;
    private readonly IBackendChips _chips;
    private readonly Lock _lock = new();
    private readonly uint[] _pins;
    private readonly uint[] _requests = new uint[AtPic.RequestCount];

    public HypervisorLines(IBackendInterrupts interrupts, IBackendChips chips)
    {
        _interrupts = interrupts;
        _chips = chips;
        _pins = new uint[chips.IoApicPins];
    }

    /// <summary>How many pins the I/O APIC has.</summary>
    public int PinCount => _pins.Length;

    /// <summary>How often each pin is asserted.</summary>
    public PinCounters Pins
    {
        get
        {
            lock (_lock)
            {
                return new PinCounters(_pins);
            }
        }
    }

    /// <inheritdoc/>
    public void Drive(int line, bool asserted)
    {
        int pin = line == TimerInterrupt ? TimerPin : line;
        bool isRequest = line is < AtPic.RequestCount and not TimerPin;
        lock (_lock)
        {
            bool pinChanges = Count(_pins, pin, asserted, "vioapic");
            bool requestChanges = isRequest && Count(_requests, line, asserted, "vatpic");
            if (pinChanges && (requestChanges || !isRequest))
            {
                _interrupts.SetLine(line, asserted);
            }
            else if (pinChanges)
            {
                _chips.SetPin(pin, asserted);
            }
            else if (requestChanges)
            {
                _chips.SetRequest(line, asserted);
            }
        }
    }

    /// <summary>How often each request of one 8259 is asserted.</summary>
    public PinCounters Requests(bool isSlave)
    {
        lock (_lock)
        {
            return new PinCounters(_requests.AsSpan(isSlave ? RequestsOfOneChip : 0, RequestsOfOneChip));
        }
    }

    /// <summary>Drives a pin of the I/O APIC.</summary>
    public void DrivePin(int pin, bool asserted)
    {
        lock (_lock)
        {
            if (Count(_pins, pin, asserted, "vioapic"))
            {
                _chips.SetPin(pin, asserted);
            }
        }
    }

    /// <summary>Raises a pin that nobody holds up, and lets it fall.</summary>
    public void PulsePin(int pin)
    {
        lock (_lock)
        {
            if (_pins[pin] == 0)
            {
                _chips.SetPin(pin, true);
                _chips.SetPin(pin, false);
            }
        }
    }

    /// <summary>Drives a request of the 8259 pair.</summary>
    public void DriveRequest(int request, bool asserted)
    {
        lock (_lock)
        {
            if (Count(_requests, request, asserted, "vatpic"))
            {
                _chips.SetRequest(request, asserted);
            }
        }
    }

    /// <summary>Raises a request that nobody holds up, and lets it fall.</summary>
    public void PulseRequest(int request)
    {
        lock (_lock)
        {
            if (_requests[request] == 0)
            {
                _chips.SetRequest(request, true);
                _chips.SetRequest(request, false);
            }
        }
    }

    /// <summary>Takes over counts of a restored I/O APIC, whose pins the hypervisor was told with its state.</summary>
    public void RestorePins(PinCounters counts)
    {
        lock (_lock)
        {
            for (int pin = 0; pin < _pins.Length; pin++)
            {
                _pins[pin] = counts[pin];
            }
        }
    }

    /// <summary>Takes over counts of a restored 8259.</summary>
    public void RestoreRequests(bool isSlave, PinCounters counts)
    {
        lock (_lock)
        {
            for (int pin = 0; pin < RequestsOfOneChip; pin++)
            {
                _requests[(isSlave ? RequestsOfOneChip : 0) + pin] = counts[pin];
            }
        }
    }

    /// <summary>Counts, and says whether the level changes.</summary>
    private static bool Count(uint[] counts, int index, bool asserted, string chip)
    {
        ref uint count = ref counts[index];
        if (asserted && count == uint.MaxValue)
        {
            EngineThrow.Refuse($"{chip}_assert_irq", VmmError.E2BIG, $"input {index} is asserted too often");
        }

        if (!asserted && count == 0)
        {
            EngineThrow.Refuse($"{chip}_deassert_irq", VmmError.ERANGE, $"input {index} is not asserted");
        }

        return asserted ? count++ == 0 : --count == 0;
    }
}
