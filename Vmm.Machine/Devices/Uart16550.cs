// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Machine.Devices;

/// <summary>
/// A 16550 UART: the chip alone, after the PC16550D data sheet. Its registers are an eight-byte window.
/// </summary>
/// <remarks>
/// <para>
/// Used by one thread at a time; no locks, no I/O, no clock. Characters take no time: what is written to the transmitter has
/// left it before the write returns, so THRE and TEMT always read as one, and the transmitter's interrupt is raised again
/// at once. The character timeout has no clock either: it is pending whenever the enabled FIFO holds characters but fewer
/// than the trigger level, because whoever feeds the chip fills the FIFO as far as it can, so that nothing more is under
/// way.
/// </para>
/// <para>
/// Speed, parity and stop bits are kept and read back but change nothing, and characters to and from the wire have eight
/// bits whatever the word length: software that never programs the line control register is heard all the same. In loopback
/// the word length counts.
/// </para>
/// <para>The interrupt output does not depend on OUT2; a card's wiring does that, see <see cref="SerialPort"/>.</para>
/// </remarks>
public sealed partial class Uart16550
{
    /// <summary>Registers in the window.</summary>
    public const int RegisterCount = 8;

    // 9600 baud from the PC's 1.8432 MHz crystal, as firmware leaves it. A reset does not touch it.
    private const ushort InitialDivisor = 12;

    private readonly IInterruptLine _interrupt;
    private readonly IUartWire _wire;
    private byte _interruptEnable;
    private byte _fifoControl;
    private byte _lineControl;
    private byte _modemControl;
    private byte _scratch;
    private ushort _divisor = InitialDivisor;
    private UartLineErrors _lineErrors;
    private UartModemInputs _modemInputs;
    private byte _modemChanges;
    private bool _transmitInterrupt;
    private bool _asserted;
    private UartFifo _received;

    /// <summary>Makes a chip in its reset state with nothing at its modem inputs.</summary>
    /// <param name="interrupt">The interrupt output.</param>
    /// <param name="wire">The output lines.</param>
    public Uart16550(IInterruptLine interrupt, IUartWire wire)
    {
        ArgumentNullException.ThrowIfNull(interrupt);
        ArgumentNullException.ThrowIfNull(wire);
        _interrupt = interrupt;
        _wire = wire;
    }

    /// <summary>How many characters <see cref="Receive"/> can take now without an overrun; none in loopback.</summary>
    public int ReceiveRoom => IsLoopback ? 0 : ReceiveCapacity - _received.Count;

    /// <summary>Whether the interrupt output is asserted.</summary>
    public bool InterruptAsserted => _asserted;

    /// <summary>The baud rate divisor; the rate is 115200 divided by it on a PC.</summary>
    public int Divisor => _divisor;

    /// <summary>The outputs as they are at the pins: inactive in loopback.</summary>
    public UartModemOutputs ModemOutputs => IsLoopback ? UartModemOutputs.None : (UartModemOutputs)(_modemControl & ModemOutputMask);

    /// <summary>Reads a register, with the side effects a read has.</summary>
    /// <param name="register">Offset in the window; all ones beyond it.</param>
    public byte Read(int register)
    {
        byte value = register switch
        {
            Data => DivisorAccess ? (byte)_divisor : ReadCharacter(),
            InterruptEnable => DivisorAccess ? (byte)(_divisor >> 8) : _interruptEnable,
            InterruptIdentification => ReadIdentification(),
            LineControl => _lineControl,
            ModemControl => _modemControl,
            LineStatus => ReadLineStatus(),
            ModemStatus => ReadModemStatus(),
            Scratch => _scratch,
            _ => byte.MaxValue,
        };
        UpdateInterrupt();
        return value;
    }

    /// <summary>Writes a register. LSR and MSR are read only: the data sheet keeps writes to them for factory tests.</summary>
    /// <param name="register">Offset in the window; nothing happens beyond it.</param>
    /// <param name="value">The byte.</param>
    public void Write(int register, byte value)
    {
        switch (register)
        {
            case Data when DivisorAccess:
                _divisor = (ushort)((_divisor & 0xff00) | value);
                break;
            case Data:
                Transmit(value);
                break;
            case InterruptEnable when DivisorAccess:
                _divisor = (ushort)((_divisor & 0x00ff) | (value << 8));
                break;
            case InterruptEnable:
                WriteInterruptEnable(value);
                break;
            case InterruptIdentification:
                WriteFifoControl(value);
                break;
            case LineControl:
                WriteLineControl(value);
                break;
            case ModemControl:
                WriteModemControl(value);
                break;
            case Scratch:
                _scratch = value;
                break;
            default:
                return;
        }

        UpdateInterrupt();
    }

    /// <summary>
    /// A character arrives at the receive line. Without room it causes an overrun, as on the wire; who can wait looks at
    /// <see cref="ReceiveRoom"/> first. In loopback the line is disconnected and the character is lost.
    /// </summary>
    /// <param name="value">The character; zero with a break.</param>
    /// <param name="errors">Parity, framing or break; an overrun is found by the chip itself.</param>
    public void Receive(byte value, UartLineErrors errors = UartLineErrors.None)
    {
        if (!IsLoopback)
        {
            Accept(value, errors & CharacterErrors);
            UpdateInterrupt();
        }
    }

    /// <summary>Drives the modem inputs; in loopback they are not seen until it ends.</summary>
    /// <param name="inputs">The active ones.</param>
    public void SetModemInputs(UartModemInputs inputs)
    {
        UartModemInputs before = SensedInputs();
        _modemInputs = inputs & AllInputs;
        NoteChanges(before);
        UpdateInterrupt();
    }

    /// <summary>
    /// The master reset pin: everything but scratch, divisor and the modem inputs goes to its initial value (data sheet,
    /// table I).
    /// </summary>
    public void Reset()
    {
        UartModemOutputs outputs = ModemOutputs;
        bool wasBreak = (_lineControl & BreakControl) != 0;
        _interruptEnable = 0;
        _fifoControl = 0;
        _lineControl = 0;
        _modemControl = 0;
        _lineErrors = UartLineErrors.None;
        _modemChanges = 0;
        _transmitInterrupt = false;
        _received = default;
        ReportOutputs(outputs, wasBreak);
        UpdateInterrupt();
    }

    /// <summary>What the chip remembers.</summary>
    public UartState Save() => new()
    {
        Version = UartState.CurrentVersion,
        InterruptEnable = _interruptEnable,
        FifoControl = _fifoControl,
        LineControl = _lineControl,
        ModemControl = _modemControl,
        Scratch = _scratch,
        Divisor = _divisor,
        LineErrors = _lineErrors,
        ModemInputs = _modemInputs,
        ModemChanges = _modemChanges,
        TransmitInterrupt = _transmitInterrupt,
        ReceiveCount = (byte)_received.Count,
        ReceiveData = _received.Data,
        ReceiveErrors = _received.Errors,
    };

    /// <summary>Puts the chip into a saved state and drives its outputs accordingly; nothing is transmitted.</summary>
    /// <param name="state">From <see cref="Save"/>; bits that a register does not have are dropped.</param>
    /// <exception cref="ArgumentException">The version is another, or the FIFO holds more than it can.</exception>
    public void Restore(UartState state)
    {
        if (state.Version != UartState.CurrentVersion)
        {
            throw new ArgumentException($"UART state of version {state.Version}; this build reads {UartState.CurrentVersion}.", nameof(state));
        }

        int capacity = (state.FifoControl & FifoEnable) != 0 ? UartFifo.Depth : 1;
        if (state.ReceiveCount > capacity)
        {
            throw new ArgumentException($"{state.ReceiveCount} received characters in a FIFO of {capacity}.", nameof(state));
        }

        UartModemOutputs outputs = ModemOutputs;
        bool wasBreak = (_lineControl & BreakControl) != 0;
        _interruptEnable = (byte)(state.InterruptEnable & EnableMask);
        _fifoControl = (byte)(state.FifoControl & FifoLastingBits);
        _lineControl = state.LineControl;
        _modemControl = (byte)(state.ModemControl & ModemControlMask);
        _scratch = state.Scratch;
        _divisor = state.Divisor;
        _lineErrors = state.LineErrors & AllErrors;
        _modemInputs = state.ModemInputs & AllInputs;
        _modemChanges = (byte)(state.ModemChanges & ChangeMask);
        _transmitInterrupt = state.TransmitInterrupt;
        _received = UartFifo.From(state.ReceiveCount, state.ReceiveData, state.ReceiveErrors);
        ReportOutputs(outputs, wasBreak);
        UpdateInterrupt();
    }
}
