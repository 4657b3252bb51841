// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <content>The registers, and the flags that time sets in them.</content>
public sealed partial class Rtc
{
    private const int Seconds = 0;
    private const int SecondsAlarm = 1;
    private const int Minutes = 2;
    private const int MinutesAlarm = 3;
    private const int Hours = 4;
    private const int HoursAlarm = 5;
    private const int DayOfWeek = 6;
    private const int DayOfMonth = 7;
    private const int Month = 8;
    private const int Year = 9;
    private const int StatusA = 10;
    private const int StatusB = 11;
    private const int StatusC = 12;
    private const int StatusD = 13;
    private const int Century = 0x32;

    private const byte UpdateInProgress = 0x80;
    private const byte DividerMask = 0x70;
    private const byte DividerOn = 0x20;
    private const byte RateMask = 0x0f;

    private const byte Hold = 0x80;
    private const byte SquareWave = 0x08;
    private const byte Binary = 0x04;
    private const byte Hours24 = 0x02;

    // The same bits enable in register B and flag in register C.
    private const byte PeriodicBit = 0x40;
    private const byte AlarmBit = 0x20;
    private const byte UpdateBit = 0x10;
    private const byte InterruptMask = PeriodicBit | AlarmBit | UpdateBit;
    private const byte InterruptRequest = 0x80;

    private const byte ValidMemory = 0x80;

    // 244 us and 1984 us, in ticks of 32768 Hz (MC146818 data sheet, update cycle).
    private const int UpdateTicks = 8 + 65;

    // The first second after the chain leaves reset is half as long.
    private const long FirstSecond = Second / 2;

    private bool IsHeld => (_memory[StatusB] & Hold) != 0;

    private bool DividerRuns => (_memory[StatusA] & DividerMask) == DividerOn;

    private bool TimeRuns => DividerRuns && !IsHeld && _isValid;

    private bool IsRequesting => (_memory[StatusB] & _memory[StatusC] & InterruptMask) != 0;

    // Ticks of 32768 Hz in a period; rates 1 and 2 repeat 8 and 9 (MC146818 data sheet, table 5).
    private int PeriodTicks => (_memory[StatusA] & RateMask) switch
    {
        0 => 0,
        1 => 1 << 7,
        2 => 1 << 8,
        var rate => 1 << (rate - 1),
    };

    private byte ReadData()
    {
        Synchronize(_clock.Now);
        switch (_address)
        {
            case StatusA:
                bool updating = TimeRuns && _ticks >= TicksPerSecond - UpdateTicks;
                return (byte)(_memory[StatusA] | (updating ? UpdateInProgress : 0));
            case StatusC:
                byte flags = (byte)(_memory[StatusC] | (IsRequesting ? InterruptRequest : 0));
                _memory[StatusC] = 0;
                Update();
                return flags;
            default:
                ShowTime();
                return _memory[_address];
        }
    }

    private void WriteData(byte value)
    {
        Synchronize(_clock.Now);
        switch (_address)
        {
            case StatusA:
                WriteStatusA((byte)(value & ~UpdateInProgress));
                break;
            case StatusB:
                WriteStatusB(value);
                break;
            case StatusC or StatusD:
                break;
            case Seconds:
                WriteTime((byte)(value & 0x7f));
                break;
            case Minutes or Hours or DayOfWeek or DayOfMonth or Month or Year or Century:
                WriteTime(value);
                break;
            default:
                _memory[_address] = value;
                break;
        }

        Update();
    }

    private void WriteStatusA(byte value)
    {
        bool ran = DividerRuns;
        ShowTime();
        _memory[StatusA] = value;
        if (!ran && DividerRuns)
        {
            _timeBase = _clock.Now - FirstSecond;
            _ticks = TicksPerSecond / 2;
        }
    }

    private void WriteStatusB(byte value)
    {
        bool held = IsHeld;
        ShowTime();
        if ((value & Hold) != 0)
        {
            value &= unchecked((byte)~UpdateBit);
        }

        _memory[StatusB] = value;
        if (held && !IsHeld)
        {
            TakeTime();
        }
    }

    private void WriteTime(byte value)
    {
        ShowTime();
        _memory[_address] = value;
        if (!IsHeld)
        {
            TakeTime();
        }
    }

    // Brings the divider chain to the present and sets the flags of what it passed. A caller's time may be older than what
    // another thread has already brought it to.
    private void Synchronize(long now)
    {
        if (!DividerRuns || now < _timeBase)
        {
            return;
        }

        long ticks = TicksAt(now);
        if (ticks <= _ticks)
        {
            return;
        }

        int period = PeriodTicks;
        if (period != 0 && ticks / period != _ticks / period)
        {
            _memory[StatusC] |= PeriodicBit;
        }

        long seconds = ticks >> TickShift;
        _timeBase += seconds * Second;
        _ticks = (int)(ticks & (TicksPerSecond - 1));
        if (seconds > 0 && TimeRuns)
        {
            if (NextAlarm() <= seconds)
            {
                _memory[StatusC] |= AlarmBit;
            }

            _memory[StatusC] |= UpdateBit;
            _seconds = Math.Min(_seconds + seconds, LastSecond);
        }

        UpdateLine();
    }

    private long TicksAt(long now) => s_rate.TicksAt((long)Math.Min((ulong)now - (ulong)_timeBase, long.MaxValue));

    private void Update()
    {
        UpdateLine();
        long due = DividerRuns ? NextEvent() : long.MaxValue;
        if (due != _armed)
        {
            _armed = due;
            _deadlines.Arm(_deadline, due);
        }
    }

    private void UpdateLine()
    {
        if (_line != IsRequesting)
        {
            _line = IsRequesting;
            _interrupt.SetLevel(_line);
        }
    }

    // The next time at which a flag raises the line: none while the line is high, because register C must be read first.
    private long NextEvent()
    {
        long due = long.MaxValue;
        int wanted = _line ? 0 : _memory[StatusB] & InterruptMask;
        int period = PeriodTicks;
        if ((wanted & PeriodicBit) != 0 && period != 0)
        {
            due = After(s_rate.TimeOf(((long)_ticks / period * period) + period));
        }

        if (TimeRuns && (wanted & UpdateBit) != 0)
        {
            due = Math.Min(due, After(Second));
        }
        else if (TimeRuns && (wanted & AlarmBit) != 0 && NextAlarm() is var seconds && seconds <= SecondsPerDay)
        {
            due = Math.Min(due, After(seconds * Second));
        }

        return due;
    }

    private long After(long span) => _timeBase > long.MaxValue - span ? long.MaxValue : _timeBase + span;
}
