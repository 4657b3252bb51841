// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Timers;

/// <summary>
/// One counter of an 8254, written from the data sheet's mode definitions and stepped one clock pulse at a time: slow and
/// plain, to compare the closed form with.
/// </summary>
internal sealed class ReferencePitCounter(bool gate)
{
    private int _control = 0x30;
    private int _register;
    private int _element;
    private int _half;
    private bool _written;
    private bool _load;
    private bool _counting;
    private bool _armed;
    private bool _null = true;
    private bool _gate = gate;
    private int? _firstByte;
    private bool _readSecond;
    private readonly Queue<byte> _latchedCount = new();
    private byte? _latchedStatus;

    internal bool Out { get; private set; }

    private int Mode => ((_control >> 1) & 7) switch { 6 => 2, 7 => 3, var mode => mode };

    private bool Decimal => (_control & 1) == 1;

    private int Full => Decimal ? 10000 : 65536;

    private int Value
    {
        get
        {
            string digits = _register.ToString("x4", System.Globalization.CultureInfo.InvariantCulture);
            int value = Decimal ? digits.Aggregate(0, (sum, digit) => (sum * 10) + Convert.ToInt32(digit.ToString(), 16)) % 10000 : _register;
            return value == 0 ? Full : value;
        }
    }

    private int Shown
    {
        get
        {
            int value = _element % Full;
            return Decimal ? Convert.ToInt32(value.ToString(System.Globalization.CultureInfo.InvariantCulture), 16) : value;
        }
    }

    internal void ControlWord(int word)
    {
        _element %= Full;
        _control = word & 0x3f;
        _element %= Full;
        _written = _load = _counting = _armed = _readSecond = false;
        _null = true;
        _firstByte = null;
        _latchedCount.Clear();
        _latchedStatus = null;
        _register = 0;
        _half = 0;
        Out = Mode != 0;
    }

    internal void Write(int value)
    {
        int access = _control >> 4;
        if (access == 3 && _firstByte is null)
        {
            _firstByte = value;
            if (Mode == 0)
            {
                _counting = _load = false;
                Out = false;
            }

            return;
        }

        _register = access switch { 1 => value, 2 => value << 8, _ => (value << 8) | _firstByte!.Value };
        _firstByte = null;
        _null = true;
        if (Mode == 0)
        {
            Out = false;
        }

        if (Mode is 0 or 4 || (Mode is 2 or 3 && !_written))
        {
            _load = true;
        }

        _written = true;
    }

    internal byte Read()
    {
        if (_latchedStatus is byte status)
        {
            _latchedStatus = null;
            return status;
        }

        if (_latchedCount.TryDequeue(out byte latched))
        {
            return latched;
        }

        int access = _control >> 4;
        bool high = access == 2 || (access == 3 && _readSecond);
        _readSecond = access == 3 && !_readSecond;
        return (byte)(high ? Shown >> 8 : Shown & 0xff);
    }

    internal void LatchCount()
    {
        if (_latchedCount.Count > 0)
        {
            return;
        }

        int access = _control >> 4;
        if ((access & 1) != 0)
        {
            _latchedCount.Enqueue((byte)(Shown & 0xff));
        }

        if ((access & 2) != 0)
        {
            _latchedCount.Enqueue((byte)(Shown >> 8));
        }
    }

    internal void LatchStatus() => _latchedStatus ??= (byte)((Out ? 0x80 : 0) | (_null ? 0x40 : 0) | _control);

    internal void Gate(bool level)
    {
        if (level && !_gate && _written && Mode is 1 or 2 or 3 or 5)
        {
            _load = true;
        }

        if (!level && Mode is 2 or 3)
        {
            Out = true;
        }

        _gate = level;
    }

    internal void Clock()
    {
        bool strobeEnds = Mode is 4 or 5 && !Out;
        if (strobeEnds)
        {
            Out = true;
        }

        if (_load)
        {
            FirstLoad();
        }
        else if (_counting && (_gate || Mode is 1 or 5))
        {
            Count();
        }
    }

    private void FirstLoad()
    {
        _load = false;
        _counting = true;
        Transfer();
        if (Mode == 1)
        {
            Out = false;
        }
        else if (Mode == 2 && _element == 1 && _gate)
        {
            Out = false;
        }

        _armed = Mode is 4 or 5;
    }

    private void Transfer()
    {
        _null = false;
        _element = Value;
        _half = Value;
        if (Mode == 3 && _element % 2 == 1)
        {
            _element--;
        }
    }

    private void Count()
    {
        switch (Mode)
        {
            case 2:
                if (_element == 1)
                {
                    Transfer();
                }
                else
                {
                    _element--;
                }

                Out = _element != 1;
                break;
            case 3:
                CountSquare();
                break;
            default:
                _element = _element == 0 ? Full - 1 : _element - 1;
                if (_element == 0 && Mode <= 1)
                {
                    Out = true;
                }
                else if (_element == 0 && _armed)
                {
                    Out = false;
                    _armed = false;
                }

                break;
        }
    }

    private void CountSquare()
    {
        // The high half of an odd count goes down to zero, every other half ends when two are left.
        int last = _half % 2 == 1 && Out ? 0 : 2;
        if (_element > last)
        {
            _element -= 2;
            return;
        }

        Transfer();
        Out = !Out || Value == 1;
    }
}

/// <summary>The three counters on one clock, and the ports before them.</summary>
internal sealed class ReferencePit
{
    private readonly ReferencePitCounter[] _counters = [new(true), new(true), new(false)];
    private long _tick;
    private int _port61;

    internal List<long> Rises { get; } = [];

    internal void RunTo(long tick)
    {
        while (_tick < tick)
        {
            _tick++;
            Watch(() => Array.ForEach(_counters, counter => counter.Clock()));
        }
    }

    internal void Write(int port, int value)
    {
        if (port == 0x61)
        {
            _port61 = value & 15;
            _counters[2].Gate((value & 1) != 0);
            return;
        }

        if (port != 0x43)
        {
            Watch(() => _counters[port - 0x40].Write(value));
            return;
        }

        if (value >> 6 != 3)
        {
            ReferencePitCounter counter = _counters[value >> 6];
            if ((value & 0x30) == 0)
            {
                counter.LatchCount();
            }
            else
            {
                Watch(() => counter.ControlWord(value));
            }

            return;
        }

        foreach (ReferencePitCounter counter in _counters.Where((_, index) => (value & (2 << index)) != 0))
        {
            if ((value & 0x20) == 0)
            {
                counter.LatchCount();
            }

            if ((value & 0x10) == 0)
            {
                counter.LatchStatus();
            }
        }
    }

    internal int Read(int port) => port == 0x61
        ? _port61 | (_tick / 18 % 2 == 1 ? 0x10 : 0) | (_counters[2].Out ? 0x20 : 0)
        : _counters[port - 0x40].Read();

    private void Watch(Action action)
    {
        bool before = _counters[0].Out;
        action();
        if (_counters[0].Out && !before)
        {
            Rises.Add(_tick);
        }
    }
}
