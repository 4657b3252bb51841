// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Interrupts;

/// <summary>
/// One 8259A as a PC/AT wires it: 8086 mode, cascaded, one trigger mode per pin (ELCR). The pair's lock guards it.
/// Data sheet: Intel 231468.
/// </summary>
internal sealed class Pic8259(bool isMaster, byte elcrMask)
{
    public const int CascadePin = 2;
    public const int Pins = 8;
    public const int SpuriousPin = 7;
    private const byte CascadeBit = 1 << CascadePin;

    private readonly uint[] _assertions = new uint[Pins];
    private byte _expectedIcw;
    private bool _ready;
    private bool _autoEndOfInterrupt;
    private bool _rotateOnAutoEndOfInterrupt;
    private bool _poll;
    private bool _specialFullyNested;
    private bool _readInService;
    private bool _specialMask;
    private byte _requests;
    private byte _inService;
    private byte _mask;
    private byte _lowestPriority = SpuriousPin;
    private byte _ended;

    public byte VectorBase { get; private set; }

    public byte LevelTriggered { get; private set; }

    /// <summary>Whether the next read acknowledges.</summary>
    public bool Polls => _poll;

    /// <summary>The pin that would interrupt now, or -1.</summary>
    public int HighestRequest()
    {
        int requests = _requests & ~_mask;
        if (requests == 0 || !_ready)
        {
            return -1;
        }

        // Special mask mode: a level in service that is masked no longer holds back the others.
        int inService = _specialMask ? _inService & ~_mask : _inService;
        for (int rank = 1; rank <= Pins; rank++)
        {
            int pin = (_lowestPriority + rank) % Pins;
            int bit = 1 << pin;
            if ((inService & bit) != 0)
            {
                // Special fully nested mode: a slave in service may interrupt again, lower levels may not.
                return _specialFullyNested && pin == CascadePin && (requests & bit) != 0 ? pin : -1;
            }

            if ((requests & bit) != 0)
            {
                return pin;
            }
        }

        return -1;
    }

    /// <summary>The acknowledge cycle for a pin that <see cref="HighestRequest"/> named.</summary>
    public void Accept(int pin)
    {
        byte bit = (byte)(1 << pin);
        if ((LevelTriggered & bit) == 0)
        {
            _requests &= (byte)~bit;
        }

        if (!_autoEndOfInterrupt)
        {
            _inService |= bit;
            return;
        }

        _ended |= bit;
        if (_rotateOnAutoEndOfInterrupt)
        {
            _lowestPriority = (byte)pin;
        }
    }

    /// <summary>The pins whose interrupts have ended since this was last asked.</summary>
    public byte TakeEnded()
    {
        byte ended = _ended;
        _ended = 0;
        return ended;
    }

    /// <summary>The slave's output rises.</summary>
    public void LatchCascade() => _requests |= CascadeBit;

    /// <summary>Counts an assertion.</summary>
    /// <returns>False when the counter is full.</returns>
    public bool Assert(int pin)
    {
        ref uint count = ref _assertions[pin];
        if (count == uint.MaxValue)
        {
            return false;
        }

        if (count++ == 0 && _ready)
        {
            _requests |= (byte)(1 << pin);
        }

        return true;
    }

    /// <summary>Counts a deassertion.</summary>
    /// <returns>False when the pin was not asserted. Before initialization nothing is refused.</returns>
    public bool Deassert(int pin)
    {
        ref uint count = ref _assertions[pin];
        if (count == 0)
        {
            return !_ready;
        }

        if (--count == 0)
        {
            _requests &= (byte)~(LevelTriggered & (1 << pin));
        }

        return true;
    }

    public bool TrySetTrigger(int pin, bool level)
    {
        byte bit = (byte)(1 << pin);
        if (level && (elcrMask & bit) == 0)
        {
            return false;
        }

        SetLevelTriggered((byte)(level ? LevelTriggered | bit : LevelTriggered & ~bit));
        return true;
    }

    public void SetLevelTriggered(byte value)
    {
        byte before = LevelTriggered;
        LevelTriggered = (byte)(value & elcrMask);
        FollowLevels((byte)(LevelTriggered & ~before));
    }

    /// <summary>A read of either port.</summary>
    public byte Read(bool data)
    {
        if (_poll)
        {
            _poll = false;
            return Poll();
        }

        return data ? _mask : _readInService ? _inService : _requests;
    }

    /// <summary>A write of the command port.</summary>
    /// <returns>False for an initialization that a PC/AT cannot have: a single chip, or no 8086 mode.</returns>
    public bool WriteCommand(byte value)
    {
        const int Initialize = 0x10;
        const int IsOcw3 = 0x08;
        if ((value & Initialize) != 0)
        {
            return BeginInitialization(value);
        }

        if (!_ready)
        {
            return true;
        }

        if ((value & IsOcw3) != 0)
        {
            WriteOcw3(value);
        }
        else
        {
            WriteOcw2(value);
        }

        return true;
    }

    /// <summary>A write of the data port.</summary>
    /// <returns>False for an ICW4 without 8086 mode.</returns>
    public bool WriteData(byte value)
    {
        switch (_expectedIcw)
        {
            case 1:
                VectorBase = (byte)(value & 0xf8);
                _expectedIcw = 2;
                return true;
            case 2:
                // ICW3 says how the chips are wired, which in a PC/AT is fixed.
                _expectedIcw = 3;
                return true;
            case 3:
                return FinishInitialization(value);
            default:
                _mask = value;
                return true;
        }
    }

    public Pic8259State Save() => new()
    {
        ExpectedIcw = _expectedIcw,
        Ready = _ready,
        AutoEndOfInterrupt = _autoEndOfInterrupt,
        RotateOnAutoEndOfInterrupt = _rotateOnAutoEndOfInterrupt,
        Poll = _poll,
        SpecialFullyNested = _specialFullyNested,
        ReadInService = _readInService,
        SpecialMask = _specialMask,
        Requests = _requests,
        InService = _inService,
        Mask = _mask,
        VectorBase = VectorBase,
        LowestPriority = _lowestPriority,
        LevelTriggered = LevelTriggered,
        Assertions = new PinCounters(_assertions),
    };

    public void Restore(Pic8259State state)
    {
        _expectedIcw = (byte)(state.ExpectedIcw & 3);
        _ready = state.Ready;
        _autoEndOfInterrupt = state.AutoEndOfInterrupt;
        _rotateOnAutoEndOfInterrupt = state.RotateOnAutoEndOfInterrupt;
        _poll = state.Poll;
        _specialFullyNested = state.SpecialFullyNested && isMaster;
        _readInService = state.ReadInService;
        _specialMask = state.SpecialMask;
        _requests = state.Requests;
        _inService = state.InService;
        _mask = state.Mask;
        VectorBase = (byte)(state.VectorBase & 0xf8);
        _lowestPriority = (byte)(state.LowestPriority & 7);
        LevelTriggered = (byte)(state.LevelTriggered & elcrMask);
        for (int pin = 0; pin < Pins; pin++)
        {
            _assertions[pin] = state.Assertions[pin];
        }

        FollowLevels(LevelTriggered);
    }

    private void FollowLevels(byte pins)
    {
        for (int pin = 0; pin < Pins; pin++)
        {
            byte bit = (byte)(pins & (1 << pin));
            _requests = (byte)(_assertions[pin] != 0 && _ready ? _requests | bit : _requests & ~bit);
        }
    }

    private bool BeginInitialization(byte icw1)
    {
        const int Single = 0x02;
        const int NeedsIcw4 = 0x01;
        if ((icw1 & Single) != 0 || (icw1 & NeedsIcw4) == 0)
        {
            return false;
        }

        // The edge detectors start anew; what is in service stays (data sheet, "Initialization Command Words").
        _ready = false;
        _requests = 0;
        _mask = 0;
        _lowestPriority = SpuriousPin;
        _poll = false;
        _readInService = false;
        _specialMask = false;
        _expectedIcw = 1;
        return true;
    }

    private bool FinishInitialization(byte icw4)
    {
        const int Mode8086 = 0x01;
        const int AutoEoi = 0x02;
        const int SpecialFullyNested = 0x10;
        if ((icw4 & Mode8086) == 0)
        {
            return false;
        }

        _autoEndOfInterrupt = (icw4 & AutoEoi) != 0;
        _specialFullyNested = isMaster && (icw4 & SpecialFullyNested) != 0;
        _expectedIcw = 0;
        _ready = true;
        FollowLevels(LevelTriggered);
        return true;
    }

    private void WriteOcw2(byte value)
    {
        const int Rotate = 0x80;
        const int Specific = 0x40;
        const int EndOfInterrupt = 0x20;
        bool rotate = (value & Rotate) != 0;
        bool specific = (value & Specific) != 0;
        if ((value & EndOfInterrupt) != 0)
        {
            int pin = specific ? value & 7 : HighestInService();
            if (pin >= 0)
            {
                _ended |= (byte)(_inService & (1 << pin));
                _inService &= (byte)~(1 << pin);
                _lowestPriority = rotate ? (byte)pin : _lowestPriority;
            }
        }
        else if (!specific)
        {
            _rotateOnAutoEndOfInterrupt = rotate;
        }
        else if (rotate)
        {
            _lowestPriority = (byte)(value & 7);
        }
    }

    private void WriteOcw3(byte value)
    {
        const int SetsSpecialMask = 0x40;
        const int SpecialMask = 0x20;
        const int Poll = 0x04;
        const int SelectsRegister = 0x02;
        const int InService = 0x01;
        _poll |= (value & Poll) != 0;
        if ((value & SelectsRegister) != 0)
        {
            _readInService = (value & InService) != 0;
        }

        if ((value & SetsSpecialMask) != 0)
        {
            _specialMask = (value & SpecialMask) != 0;
        }
    }

    // In special mask mode a non-specific end of interrupt leaves masked levels in service.
    private int HighestInService()
    {
        int candidates = _specialMask ? _inService & ~_mask : _inService;
        for (int rank = 1; candidates != 0 && rank <= Pins; rank++)
        {
            int pin = (_lowestPriority + rank) % Pins;
            if ((candidates & (1 << pin)) != 0)
            {
                return pin;
            }
        }

        return -1;
    }

    // The read that follows a poll command takes the place of the acknowledge cycle.
    private byte Poll()
    {
        const int Interrupt = 0x80;
        int pin = HighestRequest();
        if (pin < 0)
        {
            return 0;
        }

        Accept(pin);
        return (byte)(Interrupt | pin);
    }
}
