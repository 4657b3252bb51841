// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>
/// A power-management timer written from the ACPI specification (4.8.3.1 and 4.8.3.3) and stepped one tick at a time, to compare the closed
/// form with: TMR_STS is set whenever the counter's highest bit changes.
/// </summary>
internal sealed class ReferencePmTimer
{
    private const int Frequency = 3_579_545;
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly uint _mask;
    private readonly uint _highest;

    // The time of the last tick is kept as whole nanoseconds and a remainder in 1/Frequency of one.
    private long _tick;
    private long _remainder;
    private bool _status;
    private bool _enabled;

    /// <summary>Begins at a time, with the counter of a timer that was at zero at another.</summary>
    public ReferencePmTimer(bool narrow, long timeBase, long now)
    {
        _mask = narrow ? 0x00ff_ffff : uint.MaxValue;
        _highest = narrow ? 0x0080_0000 : 0x8000_0000;
        UInt128 ticks = (UInt128)(now - timeBase) * Frequency / NanosecondsPerSecond;
        Counter = (uint)ticks & _mask;
        UInt128 scaled = ticks * NanosecondsPerSecond;
        _tick = timeBase + (long)(scaled / Frequency);
        _remainder = (long)(scaled % Frequency);
    }

    public uint Counter { get; private set; }

    public bool Line => _status && _enabled;

    /// <summary>When the line rose because the counter turned.</summary>
    public List<long> Rises { get; } = [];

    public uint Events => (_status ? 1u : 0) | (_enabled ? 0x1_0000u : 0);

    public void RunTo(long now)
    {
        while (true)
        {
            long remainder = _remainder + (NanosecondsPerSecond % Frequency);
            long tick = _tick + (NanosecondsPerSecond / Frequency) + (remainder >= Frequency ? 1 : 0);
            remainder -= remainder >= Frequency ? Frequency : 0;

            // A tick in the middle of a nanosecond is seen at the next whole one.
            long seen = tick + (remainder > 0 ? 1 : 0);
            if (seen > now)
            {
                return;
            }

            (_tick, _remainder) = (tick, remainder);
            uint before = Counter;
            Counter = (Counter + 1) & _mask;
            if (((before ^ Counter) & _highest) != 0)
            {
                if (!_status && _enabled)
                {
                    Rises.Add(seen);
                }

                _status = true;
            }
        }
    }

    public void WriteStatus(byte value) => _status &= (value & 1) == 0;

    public void WriteEnable(byte value) => _enabled = (value & 1) != 0;

    public void Reset()
    {
        _status = false;
        _enabled = false;
    }
}
