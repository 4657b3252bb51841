// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <content>What each register does, and which interrupt source comes first.</content>
public sealed partial class Uart16550
{
    // Registers by offset; the first two are the divisor while DLAB is set.
    private const int Data = 0;
    private const int InterruptEnable = 1;
    private const int InterruptIdentification = 2;
    private const int LineControl = 3;
    private const int ModemControl = 4;
    private const int LineStatus = 5;
    private const int ModemStatus = 6;
    private const int Scratch = 7;

    private const byte EnableReceived = 0x01;
    private const byte EnableTransmitter = 0x02;
    private const byte EnableLineStatus = 0x04;
    private const byte EnableModemStatus = 0x08;
    private const byte EnableMask = 0x0f;

    // Interrupt identification, by falling priority.
    private const byte IdentifyLineStatus = 0x06;
    private const byte IdentifyReceived = 0x04;
    private const byte IdentifyTimeout = 0x0c;
    private const byte IdentifyTransmitter = 0x02;
    private const byte IdentifyModemStatus = 0x00;
    private const byte IdentifyNone = 0x01;
    private const byte IdentifyFifosEnabled = 0xc0;

    private const byte FifoEnable = 0x01;
    private const byte FifoResetReceiver = 0x02;
    private const byte FifoLastingBits = 0xc9;
    private const int FifoTriggerShift = 6;

    private const byte WordLengthMask = 0x03;
    private const int ShortestWord = 5;
    private const byte BreakControl = 0x40;
    private const byte DivisorLatchAccess = 0x80;

    private const byte Loopback = 0x10;
    private const byte ModemControlMask = 0x1f;
    private const byte ModemOutputMask = 0x0f;

    private const byte DataReady = 0x01;
    private const byte TransmitterEmpty = 0x60;
    private const byte ErrorInFifo = 0x80;
    private const UartLineErrors AllErrors =
        UartLineErrors.Overrun | UartLineErrors.Parity | UartLineErrors.Framing | UartLineErrors.Break;
    private const UartLineErrors CharacterErrors = AllErrors & ~UartLineErrors.Overrun;

    private const UartModemInputs AllInputs = UartModemInputs.ClearToSend | UartModemInputs.DataSetReady
        | UartModemInputs.RingIndicator | UartModemInputs.CarrierDetect;
    private const int ChangeShift = 4;
    private const byte ChangeMask = 0x0f;

    private bool IsLoopback => (_modemControl & Loopback) != 0;

    private bool FifosEnabled => (_fifoControl & FifoEnable) != 0;

    private bool DivisorAccess => (_lineControl & DivisorLatchAccess) != 0;

    private int ReceiveCapacity => FifosEnabled ? UartFifo.Depth : 1;

    // FCR bits 7-6.
    private int TriggerLevel => (_fifoControl >> FifoTriggerShift) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };

    private byte ReadCharacter()
    {
        byte value = _received.Pop();
        _lineErrors |= _received.HeadErrors;
        return value;
    }

    // Reading the identification acknowledges the transmitter's interrupt, and only if that is the one reported.
    private byte ReadIdentification()
    {
        byte source = Identify();
        if (source == IdentifyTransmitter)
        {
            _transmitInterrupt = false;
        }

        return (byte)(source | (FifosEnabled ? IdentifyFifosEnabled : 0));
    }

    private byte ReadLineStatus()
    {
        byte value = (byte)((byte)_lineErrors | TransmitterEmpty);
        value |= _received.Count > 0 ? DataReady : (byte)0;
        value |= FifosEnabled && _received.Errors != 0 ? ErrorInFifo : (byte)0;
        _lineErrors = UartLineErrors.None;
        _received.ClearHeadErrors();
        return value;
    }

    private byte ReadModemStatus()
    {
        byte value = (byte)((byte)SensedInputs() | _modemChanges);
        _modemChanges = 0;
        return value;
    }

    private void Transmit(byte value)
    {
        // The write takes the interrupt back and the character's leaving raises it again: an edge-triggered controller
        // must see both.
        _transmitInterrupt = false;
        UpdateInterrupt();
        if (IsLoopback)
        {
            int bits = ShortestWord + (_lineControl & WordLengthMask);
            Accept((byte)(value & ((1 << bits) - 1)), UartLineErrors.None);
        }
        else
        {
            _wire.Transmit(value);
        }

        _transmitInterrupt = true;
    }

    // Enabling the transmitter's interrupt while the transmitter is empty, as it always is here, raises it.
    private void WriteInterruptEnable(byte value)
    {
        if ((value & ~_interruptEnable & EnableTransmitter) != 0)
        {
            _transmitInterrupt = true;
        }

        _interruptEnable = (byte)(value & EnableMask);
    }

    // Switching between FIFO and 16450 mode empties the FIFOs; the other bits count only together with the enable bit.
    private void WriteFifoControl(byte value)
    {
        bool enable = (value & FifoEnable) != 0;
        if (enable != FifosEnabled || (enable && (value & FifoResetReceiver) != 0))
        {
            _received = default;
        }

        _fifoControl = enable ? (byte)(value & FifoLastingBits) : (byte)0;
    }

    private void WriteLineControl(byte value)
    {
        bool wasBreak = (_lineControl & BreakControl) != 0;
        _lineControl = value;
        ReportOutputs(ModemOutputs, wasBreak);
    }

    private void WriteModemControl(byte value)
    {
        UartModemOutputs outputs = ModemOutputs;
        UartModemInputs inputs = SensedInputs();
        _modemControl = (byte)(value & ModemControlMask);
        NoteChanges(inputs);
        ReportOutputs(outputs, (_lineControl & BreakControl) != 0);
    }

    private void ReportOutputs(UartModemOutputs before, bool wasBreak)
    {
        bool isBreak = (_lineControl & BreakControl) != 0;
        if (isBreak != wasBreak)
        {
            _wire.SetBreak(isBreak);
        }

        if (ModemOutputs != before)
        {
            _wire.SetModemOutputs(ModemOutputs);
        }
    }

    private void Accept(byte value, UartLineErrors errors)
    {
        if (_received.Count == ReceiveCapacity)
        {
            _lineErrors |= UartLineErrors.Overrun;
            if (FifosEnabled)
            {
                return;
            }

            // Without FIFOs the new character takes the place of the one that nobody has read.
            _received = default;
        }

        _received.Push(value, errors);
        if (_received.Count == 1)
        {
            _lineErrors |= errors;
        }
    }

    // Loopback: DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD.
    private UartModemInputs SensedInputs()
    {
        if (!IsLoopback)
        {
            return _modemInputs;
        }

        UartModemOutputs outputs = (UartModemOutputs)_modemControl;
        return (outputs.HasFlag(UartModemOutputs.RequestToSend) ? UartModemInputs.ClearToSend : 0)
            | (outputs.HasFlag(UartModemOutputs.DataTerminalReady) ? UartModemInputs.DataSetReady : 0)
            | (outputs.HasFlag(UartModemOutputs.Out1) ? UartModemInputs.RingIndicator : 0)
            | (outputs.HasFlag(UartModemOutputs.Out2) ? UartModemInputs.CarrierDetect : 0);
    }

    // A change of CTS, DSR or DCD either way is noted; of RI only its end.
    private void NoteChanges(UartModemInputs before)
    {
        UartModemInputs now = SensedInputs();
        UartModemInputs changed = before ^ now;
        if (now.HasFlag(UartModemInputs.RingIndicator))
        {
            changed &= ~UartModemInputs.RingIndicator;
        }

        _modemChanges |= (byte)((byte)changed >> ChangeShift);
    }

    private byte Identify()
    {
        if ((_interruptEnable & EnableLineStatus) != 0 && _lineErrors != UartLineErrors.None)
        {
            return IdentifyLineStatus;
        }

        if ((_interruptEnable & EnableReceived) != 0 && _received.Count > 0)
        {
            return !FifosEnabled || _received.Count >= TriggerLevel ? IdentifyReceived : IdentifyTimeout;
        }

        if ((_interruptEnable & EnableTransmitter) != 0 && _transmitInterrupt)
        {
            return IdentifyTransmitter;
        }

        return (_interruptEnable & EnableModemStatus) != 0 && _modemChanges != 0 ? IdentifyModemStatus : IdentifyNone;
    }

    private void UpdateInterrupt()
    {
        bool asserted = Identify() != IdentifyNone;
        if (asserted != _asserted)
        {
            _asserted = asserted;
            _interrupt.SetLevel(asserted);
        }
    }
}
