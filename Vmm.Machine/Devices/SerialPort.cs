// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Machine.Devices;

/// <summary>
/// A serial port of a PC: a <see cref="Uart16550"/> with a lock around it, a bounded queue of host input before it and a
/// console behind it. Every member may be called from any thread.
/// </summary>
/// <remarks>
/// Lock order: the port's lock, then whatever the interrupt line and the sink take. Neither may call back into the port.
/// </remarks>
public sealed class SerialPort
{
    /// <summary>I/O ports the device occupies.</summary>
    public const int WindowSize = Uart16550.RegisterCount;

    private readonly Lock _lock = new();
    private readonly Uart16550 _chip;
    private readonly Queue<byte> _input = new();
    private readonly SerialPortOptions _options;
    private bool _inputRefused;

    /// <summary>Makes a port in its reset state.</summary>
    /// <param name="interrupt">The interrupt line of the port: 4 for COM1, 3 for COM2.</param>
    /// <param name="sink">Where output goes.</param>
    /// <param name="options">Wiring; null for the defaults.</param>
    public SerialPort(IInterruptLine interrupt, IConsoleSink sink, SerialPortOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(interrupt);
        ArgumentNullException.ThrowIfNull(sink);
        _options = options ?? new SerialPortOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.InputCapacity, 1, nameof(options));
        Wiring wiring = new(interrupt, sink, _options.GateInterruptWithOut2);
        _chip = new Uart16550(wiring, wiring);
        _chip.SetModemInputs(_options.ModemInputs);

        // The terminal was there before the power came on: that is no change the guest should see.
        _chip.Reset();
    }

    /// <summary>Bytes of host input that wait outside the chip.</summary>
    public int PendingInput
    {
        get
        {
            lock (_lock)
            {
                return _input.Count;
            }
        }
    }

    /// <summary>The guest reads; a wide access reads adjoining registers, in rising order.</summary>
    /// <param name="offset">Offset of the first register in the window; beyond it all ones are read.</param>
    /// <param name="data">Receives the bytes.</param>
    public void Read(ushort offset, Span<byte> data)
    {
        bool room;
        lock (_lock)
        {
            for (int index = 0; index < data.Length; index++)
            {
                data[index] = _chip.Read(offset + index);
                Feed();
            }

            room = TakeRoom();
        }

        Announce(room);
    }

    /// <summary>The guest writes; a wide access writes adjoining registers, in rising order.</summary>
    /// <param name="offset">Offset of the first register in the window; what lies beyond it is dropped.</param>
    /// <param name="data">The bytes.</param>
    public void Write(ushort offset, ReadOnlySpan<byte> data)
    {
        bool room;
        lock (_lock)
        {
            for (int index = 0; index < data.Length; index++)
            {
                _chip.Write(offset + index, data[index]);
                Feed();
            }

            room = TakeRoom();
        }

        Announce(room);
    }

    /// <summary>Queues input for the guest, as much as there is room for; nothing is ever lost to an overrun.</summary>
    /// <param name="data">The bytes.</param>
    /// <returns>
    /// How many of them were taken, from the beginning. The rest may be offered again after
    /// <see cref="SerialPortOptions.OnInputRoom"/>.
    /// </returns>
    public int QueueInput(ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            int taken = 0;
            while (taken < data.Length && _input.Count < _options.InputCapacity)
            {
                _input.Enqueue(data[taken++]);
                Feed();
            }

            _inputRefused |= taken < data.Length;
            return taken;
        }
    }

    /// <summary>Sends a break; it reaches the guest before queued input does.</summary>
    public void SendBreak()
    {
        lock (_lock)
        {
            _chip.Receive(0, UartLineErrors.Break);
        }
    }

    /// <summary>Drives the modem inputs.</summary>
    /// <param name="inputs">The active ones.</param>
    public void SetModemInputs(UartModemInputs inputs)
    {
        lock (_lock)
        {
            _chip.SetModemInputs(inputs);
        }
    }

    /// <summary>The machine's reset: the chip is reset, queued input stays for the next system that reads it.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _chip.Reset();
            Feed();
        }
    }

    /// <summary>What the port remembers; output is not part of it, it has left.</summary>
    public SerialPortState Save()
    {
        lock (_lock)
        {
            return new(SerialPortState.CurrentVersion, _chip.Save(), _input.ToArray());
        }
    }

    /// <summary>Puts the port into a saved state.</summary>
    /// <param name="state">From <see cref="Save"/>.</param>
    /// <exception cref="ArgumentException">The version is another, or more input waits than this port can hold.</exception>
    public void Restore(SerialPortState state)
    {
        if (state.Version != SerialPortState.CurrentVersion || state.Input.Length > _options.InputCapacity)
        {
            throw new ArgumentException(
                $"Serial port state of version {state.Version} with {state.Input.Length} bytes of input; this port takes version {SerialPortState.CurrentVersion} and {_options.InputCapacity} bytes.",
                nameof(state));
        }

        lock (_lock)
        {
            _chip.Restore(state.Chip);
            _input.Clear();
            foreach (byte value in state.Input.Span)
            {
                _input.Enqueue(value);
            }

            Feed();
        }
    }

    // The chip is kept as full as it can be, which is what its timeout without a clock relies on.
    private void Feed()
    {
        while (_input.Count > 0 && _chip.ReceiveRoom > 0)
        {
            _chip.Receive(_input.Dequeue());
        }
    }

    private bool TakeRoom()
    {
        bool room = _inputRefused && _input.Count < _options.InputCapacity;
        _inputRefused &= !room;
        return room;
    }

    private void Announce(bool room)
    {
        if (room)
        {
            _options.OnInputRoom?.Invoke();
        }
    }

    /// <summary>Between the chip's pins and the outside; called under the port's lock.</summary>
    private sealed class Wiring(IInterruptLine interrupt, IConsoleSink sink, bool gated) : IInterruptLine, IUartWire
    {
        private bool _requested;
        private bool _connected = !gated;
        private bool _level;

        public void SetLevel(bool asserted)
        {
            _requested = asserted;
            Drive();
        }

        public void Transmit(byte value) => sink.Write([value]);

        // A console shows no break; the line's state is the chip's business.
        public void SetBreak(bool active)
        {
        }

        public void SetModemOutputs(UartModemOutputs outputs)
        {
            _connected = !gated || outputs.HasFlag(UartModemOutputs.Out2);
            Drive();
        }

        private void Drive()
        {
            bool level = _requested && _connected;
            if (level != _level)
            {
                _level = level;
                interrupt.SetLevel(level);
            }
        }
    }
}
