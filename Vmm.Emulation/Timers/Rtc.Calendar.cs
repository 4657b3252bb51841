// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Timers;

/// <content>The date and time in the registers: binary or BCD, 12 or 24 hours; and the alarm.</content>
public sealed partial class Rtc
{
    // The end of year 9999: what two digits of century and two of year can hold.
    private const long LastSecond = 253_402_300_799;

    private const byte Afternoon = 0x80;
    private const byte AlarmAny = 0xc0;
    private const int Any = -1;
    private const int Invalid = -2;
    private const long NoAlarm = long.MaxValue;

    private bool IsBinary => (_memory[StatusB] & Binary) != 0;

    private bool Is24Hours => (_memory[StatusB] & Hours24) != 0;

    // Puts the time into the registers, unless they are the guest's.
    private void ShowTime()
    {
        if (IsHeld || !_isValid)
        {
            return;
        }

        DateTime time = DateTime.UnixEpoch.AddSeconds(_seconds);
        _memory[Seconds] = Encode(time.Second);
        _memory[Minutes] = Encode(time.Minute);
        _memory[Hours] = EncodeHour(time.Hour);
        _memory[DayOfWeek] = Encode((int)time.DayOfWeek + 1);
        _memory[DayOfMonth] = Encode(time.Day);
        _memory[Month] = Encode(time.Month);
        _memory[Year] = Encode(time.Year % 100);
        _memory[Century] = Encode(time.Year / 100);
    }

    // Takes the time from the registers. The day of the week follows from the date: many guests do not set it.
    private void TakeTime()
    {
        int second = Decode(_memory[Seconds], 59);
        int minute = Decode(_memory[Minutes], 59);
        int hour = DecodeHour(_memory[Hours]);
        int day = Decode(_memory[DayOfMonth], 31);
        int month = Decode(_memory[Month], 12);
        int year = Decode(_memory[Year], 99);
        int century = Decode(_memory[Century], 99);
        _isValid = (second | minute | hour | year) >= 0 && day > 0 && month > 0 && century >= 19;
        year += century * 100;
        _isValid = _isValid && year >= 1970 && day <= DateTime.DaysInMonth(year, month);
        if (_isValid)
        {
            TimeSpan since = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc) - DateTime.UnixEpoch;
            _seconds = since.Ticks / TimeSpan.TicksPerSecond;
        }
    }

    private byte Encode(int value) => (byte)(IsBinary ? value : ((value / 10) << 4) | (value % 10));

    private byte EncodeHour(int hour)
    {
        if (Is24Hours)
        {
            return Encode(hour);
        }

        int shown = hour % 12 == 0 ? 12 : hour % 12;
        return (byte)(Encode(shown) | (hour >= 12 ? Afternoon : 0));
    }

    private int Decode(int value, int maximum)
    {
        if (!IsBinary)
        {
            if ((value & 0x0f) > 9)
            {
                return Invalid;
            }

            value = ((value >> 4) * 10) + (value & 0x0f);
        }

        return value <= maximum ? value : Invalid;
    }

    private int DecodeHour(int value)
    {
        if (Is24Hours)
        {
            return Decode(value, 23);
        }

        int hour = Decode(value & ~Afternoon, 12);
        return hour < 1 ? Invalid : (hour % 12) + ((value & Afternoon) != 0 ? 12 : 0);
    }

    // Seconds from the present time to the next one that the alarm matches, 1 to a day; NoAlarm when it matches none.
    private long NextAlarm()
    {
        int second = _memory[SecondsAlarm] >= AlarmAny ? Any : Decode(_memory[SecondsAlarm], 59);
        int minute = _memory[MinutesAlarm] >= AlarmAny ? Any : Decode(_memory[MinutesAlarm], 59);
        int hour = _memory[HoursAlarm] >= AlarmAny ? Any : DecodeHour(_memory[HoursAlarm]);
        if (second == Invalid || minute == Invalid || hour == Invalid)
        {
            return NoAlarm;
        }

        int start = (int)((_seconds + 1) % SecondsPerDay);
        int time = start;
        for (int day = 0; day < 2; day++)
        {
            if (TryFindAlarm(ref time, hour, minute, second))
            {
                return time - start + 1 + (day * (long)SecondsPerDay);
            }

            time = 0;
        }

        return NoAlarm;
    }

    // Finds the first matching time of a day at or after a time; each part that does not match moves on to the next whole unit.
    private static bool TryFindAlarm(ref int time, int hour, int minute, int second)
    {
        while (time < SecondsPerDay)
        {
            if (hour != Any && time / 3600 != hour)
            {
                int next = hour * 3600;
                if (next < time)
                {
                    return false;
                }

                time = next;
            }
            else if (minute != Any && time / 60 % 60 != minute)
            {
                int next = (time / 3600 * 3600) + (minute * 60);
                time = next < time ? (time / 3600 * 3600) + 3600 : next;
            }
            else if (second != Any && time % 60 != second)
            {
                int next = (time / 60 * 60) + second;
                time = next < time ? (time / 60 * 60) + 60 : next;
            }
            else
            {
                return true;
            }
        }

        return false;
    }
}
