// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>
/// An MC146818 written from its data sheet: the divider chain is stepped in its shortest period, 8192 Hz, and the time is carried
/// from field to field, to compare the closed form with.
/// </summary>
internal sealed class ReferenceRtc
{
    private const int PulsesPerSecond = 8192;
    private readonly byte[] _memory = new byte[128];
    private int _address = 13;
    private long _start;
    private long _pulses;
    private bool _exists = true;
    private int _year = 2000;
    private int _month = 1;
    private int _day = 1;
    private int _hour;
    private int _minute;
    private int _second;

    internal ReferenceRtc(long now, int year, int month, int day, int hour, int minute, int second)
    {
        (_start, _year, _month, _day, _hour, _minute, _second) = (now, year, month, day, hour, minute, second);
        _memory[10] = 0x20;
        _memory[11] = 0x02;
        _memory[13] = 0x80;
    }

    internal List<long> Rises { get; } = [];

    internal bool Line { get; private set; }

    private bool Set => (_memory[11] & 0x80) != 0;

    private bool Chain => (_memory[10] & 0x70) == 0x20;

    private bool Binary => (_memory[11] & 4) != 0;

    private bool Military => (_memory[11] & 2) != 0;

    internal void RunTo(long now)
    {
        if (!Chain)
        {
            return;
        }

        long end = Pulses(now);
        int rate = _memory[10] & 15;
        while (_pulses < end)
        {
            // Without a periodic rate nothing happens between seconds.
            long nextSecond = ((_pulses / PulsesPerSecond) + 1) * PulsesPerSecond;
            _pulses = rate != 0 ? _pulses + 1 : Math.Min(end, nextSecond);
            int period = rate switch { 0 => 0, 1 => 32, 2 => 64, _ => 1 << (rate - 3) };
            if (period != 0 && _pulses % period == 0)
            {
                _memory[12] |= 0x40;
            }

            if (_pulses % PulsesPerSecond == 0 && !Set && _exists)
            {
                Tick();
            }

            Drive(_start + (long)((((UInt128)_pulses * 1_000_000_000) + PulsesPerSecond - 1) / PulsesPerSecond));
        }
    }

    internal void Address(int value) => _address = value & 0x7f;

    internal byte Read(long now)
    {
        if (_address == 12)
        {
            byte flags = (byte)(_memory[12] | ((_memory[11] & _memory[12] & 0x70) != 0 ? 0x80 : 0));
            _memory[12] = 0;
            Drive(now);
            return flags;
        }

        Show();
        long ticks = (long)((UInt128)(now - _start) * 32768 / 1_000_000_000) % 32768;
        bool updating = Chain && !Set && _exists && ticks >= 32768 - 73;
        return (byte)(_memory[_address] | (_address == 10 && updating ? 0x80 : 0));
    }

    internal void Write(int value, long now)
    {
        Show();
        switch (_address)
        {
            case 10:
                bool ran = Chain;
                _memory[10] = (byte)(value & 0x7f);
                if (Chain && !ran)
                {
                    _start = now - 500_000_000;
                    _pulses = PulsesPerSecond / 2;
                }

                break;
            case 11:
                bool held = Set;
                _memory[11] = (byte)((value & 0x80) != 0 ? value & ~0x10 : value);
                if (held && !Set)
                {
                    Take();
                }

                break;
            case 12 or 13:
                break;
            default:
                _memory[_address] = (byte)(_address == 0 ? value & 0x7f : value);
                if (!Set && _address is 0 or 2 or 4 or 6 or 7 or 8 or 9 or 0x32)
                {
                    Take();
                }

                break;
        }

        Drive(now);
    }

    private long Pulses(long now) => (long)((UInt128)(now - _start) * PulsesPerSecond / 1_000_000_000);

    private void Drive(long now)
    {
        bool line = (_memory[11] & _memory[12] & 0x70) != 0;
        if (line && !Line)
        {
            Rises.Add(now);
        }

        Line = line;
    }

    private void Tick()
    {
        _memory[12] |= 0x10;
        if (++_second == 60)
        {
            _second = 0;
            if (++_minute == 60)
            {
                _minute = 0;
                if (++_hour == 24)
                {
                    _hour = 0;
                    NextDay();
                }
            }
        }

        Show();
        if (Matches(1, 0) && Matches(3, 2) && Matches(5, 4))
        {
            _memory[12] |= 0x20;
        }
    }

    private bool Matches(int alarm, int field) => _memory[alarm] >= 0xc0 || _memory[alarm] == _memory[field];

    private void NextDay()
    {
        bool leap = _year % 4 == 0 && (_year % 100 != 0 || _year % 400 == 0);
        int days = _month == 2 ? (leap ? 29 : 28) : _month is 4 or 6 or 9 or 11 ? 30 : 31;
        if (++_day <= days)
        {
            return;
        }

        _day = 1;
        if (++_month == 13)
        {
            _month = 1;
            _year++;
        }
    }

    private byte Code(int value) => Binary ? (byte)value : Convert.ToByte(value.ToString(System.Globalization.CultureInfo.InvariantCulture), 16);

    private void Show()
    {
        if (Set || !_exists)
        {
            return;
        }

        int shown = Military ? _hour : _hour is 0 or 12 ? 12 : _hour % 12;
        _memory[0] = Code(_second);
        _memory[2] = Code(_minute);
        _memory[4] = (byte)(Code(shown) | (!Military && _hour > 11 ? 0x80 : 0));
        _memory[6] = Code(WeekDay());
        _memory[7] = Code(_day);
        _memory[8] = Code(_month);
        _memory[9] = Code(_year % 100);
        _memory[0x32] = Code(_year / 100);
    }

    // Zeller's congruence, turned so that Sunday is 1.
    private int WeekDay()
    {
        (int year, int month) = _month < 3 ? (_year - 1, _month + 12) : (_year, _month);
        int zeller = (_day + (13 * (month + 1) / 5) + year + (year / 4) - (year / 100) + (year / 400)) % 7;
        return ((zeller + 6) % 7) + 1;
    }

    private int? Plain(int value, int low, int high)
    {
        int? plain = Binary ? value : int.TryParse(value.ToString("x", System.Globalization.CultureInfo.InvariantCulture), out int parsed) ? parsed : null;
        return plain >= low && plain <= high ? plain : null;
    }

    private void Take()
    {
        int hourByte = _memory[4];
        int? hour = Military ? Plain(hourByte, 0, 23) : Plain(hourByte & 0x7f, 1, 12) % 12 + (hourByte >= 0x80 ? 12 : 0);
        int? second = Plain(_memory[0], 0, 59);
        int? minute = Plain(_memory[2], 0, 59);
        int? day = Plain(_memory[7], 1, 31);
        int? month = Plain(_memory[8], 1, 12);
        int? year = (Plain(_memory[0x32], 0, 99) * 100) + Plain(_memory[9], 0, 99);
        _exists = hour is not null && second is not null && minute is not null && day is not null && month is not null && year >= 1970
            && DateTime.TryParse($"{year}-{month}-{day}", System.Globalization.CultureInfo.InvariantCulture, out _);
        if (_exists)
        {
            (_hour, _second, _minute, _day, _month, _year) = (hour!.Value, second!.Value, minute!.Value, day!.Value, month!.Value, year!.Value);
        }
    }
}
