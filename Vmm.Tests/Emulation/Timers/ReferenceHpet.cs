// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>
/// An HPET written from its specification and stepped one tick of the main counter at a time, to compare the closed form with.
/// Only what depends on time: counter, comparators, periods, status; interrupts are counted per timer.
/// </summary>
internal sealed class ReferenceHpet(bool wide)
{
    private readonly Timer[] _timers = [.. Enumerable.Range(0, 8).Select(_ => new Timer { Comparator = wide ? ulong.MaxValue : uint.MaxValue })];
    private ulong _counter;
    private long _start;
    private long _ticks;
    private bool _enabled;

    internal List<(int Timer, long Time)> Fired { get; } = [];

    internal uint Status { get; private set; }

    internal void RunTo(long now)
    {
        long ticks = _enabled ? (long)((UInt128)(now - _start) * (1 << 24) / 1_000_000_000) : 0;
        while (_ticks < ticks)
        {
            _ticks++;
            _counter = wide ? _counter + 1 : (uint)(_counter + 1);
            for (int index = 0; index < _timers.Length; index++)
            {
                Compare(index);
            }
        }
    }

    internal void Write(int offset, ulong value, long now)
    {
        switch (offset)
        {
            case 0x10:
                Enable((value & 1) != 0, now);
                break;
            case 0x20:
                Status &= ~(uint)value;
                break;
            case 0xf0:
                _counter = wide ? value : (uint)value;
                Restart(now);
                break;
            default:
                WriteTimer((offset - 0x100) / 0x20, (offset & 8) != 0, value);
                break;
        }
    }

    internal ulong Read(int offset) => offset switch
    {
        0x10 => _enabled ? 1u : 0,
        0x20 => Status,
        0xf0 => _counter,
        _ when (offset & 8) != 0 => _timers[(offset - 0x100) / 0x20].Comparator,
        _ => _timers[(offset - 0x100) / 0x20].Configuration | (wide ? 0xff00_0000_0000_8030 : 0xff00_0000_0000_8010),
    };

    private bool Narrow(Timer timer) => !wide || (timer.Configuration & 0x100) != 0;

    private ulong Cut(Timer timer, ulong value) => Narrow(timer) ? (uint)value : value;

    private void Enable(bool enable, long now)
    {
        if (enable != _enabled)
        {
            _enabled = enable;
            Restart(now);
        }
    }

    private void Restart(long now)
    {
        _start = now;
        _ticks = 0;
        if (_enabled)
        {
            Array.ForEach(_timers, PassOver);
        }
    }

    // A periodic timer whose value has passed goes on to the next multiple.
    private void PassOver(Timer timer)
    {
        ulong half = Narrow(timer) ? 1UL << 31 : 1UL << 63;
        if (timer.Period == 0 || Cut(timer, _counter - timer.Comparator) >= half)
        {
            return;
        }

        ulong behind = Cut(timer, _counter - timer.Comparator);
        timer.Comparator = Cut(timer, timer.Comparator + timer.Period + (behind - (behind % timer.Period)));
    }

    private void WriteTimer(int index, bool comparator, ulong value)
    {
        Timer timer = _timers[index];
        if (comparator)
        {
            WriteComparator(timer, Cut(timer, value));
            return;
        }

        bool narrow = Narrow(timer);
        ulong route = timer.Configuration & 0x3e00;
        timer.Configuration = value & (wide ? 0x7f4eUL : 0x7e4eUL);
        timer.Configuration &= (value & 0x4000) != 0 ? ~2UL : ~0UL;
        timer.Configuration &= ((value >> 9) & 31) < 24 ? ~0x3e00UL : ~0UL;
        if ((value & 8) == 0)
        {
            timer.Period = 0;
        }

        bool rerouted = (timer.Configuration & 0x3e00) != route;
        if ((timer.Configuration & 6) != 6 || rerouted)
        {
            Status &= ~(1u << index);
        }

        if (narrow != Narrow(timer))
        {
            timer.Comparator = Cut(timer, timer.Comparator);
            timer.Period = Cut(timer, timer.Period);
            if (_enabled)
            {
                PassOver(timer);
            }
        }
    }

    private void WriteComparator(Timer timer, ulong value)
    {
        (ulong comparator, ulong period) = (timer.Comparator, timer.Period);
        if ((timer.Configuration & 8) == 0)
        {
            timer.Comparator = value;
        }
        else
        {
            timer.Period = value;
            timer.Comparator = (timer.Configuration & 0x40) != 0 ? value : comparator;
        }

        timer.Configuration &= ~0x40UL;
        if (_enabled && (comparator != timer.Comparator || period != timer.Period))
        {
            PassOver(timer);
        }
    }

    private void Compare(int index)
    {
        Timer timer = _timers[index];
        if (Cut(timer, _counter) != timer.Comparator)
        {
            return;
        }

        timer.Comparator = Cut(timer, timer.Comparator + timer.Period);
        bool message = (timer.Configuration & 0x4000) != 0;
        bool routed = message || (timer.Configuration & 0x3e00) != 0;
        if ((timer.Configuration & 4) == 0 || !routed || (Status & (1u << index)) != 0)
        {
            return;
        }

        if ((timer.Configuration & 2) != 0)
        {
            Status |= 1u << index;
        }

        Fired.Add((index, _start + (long)((((UInt128)_ticks * 1_000_000_000) + (1 << 24) - 1) >> 24)));
    }

    private sealed class Timer
    {
        internal ulong Configuration { get; set; }

        internal ulong Comparator { get; set; }

        internal ulong Period { get; set; }
    }
}
