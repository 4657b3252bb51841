// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Timers;

/// <summary>
/// The ACPI power-management timer (<c>struct vpmtmr</c>): 3.579545 MHz, free running since it was made, and the bits
/// of the PM1 event registers that belong to it (ACPI specification, 4.8.3.1 and 4.8.3.3). Any thread.
/// </summary>
/// <remarks>
/// Lock order: this chip's lock, then that of the interrupt line and the queue's. The line is driven with the lock held.
/// </remarks>
public sealed class PmTimer : IPmTimer, IDeadlineHandler
{
    /// <summary>The rate of the counter in Hz.</summary>
    public const int Frequency = 3_579_545;

    /// <summary>Bytes of the PM1 event block: status, then enable.</summary>
    public const int EventBlockSize = 4;

    private const int ExchangeLength = 16;
    private const int EnableOffset = 2;
    private const byte TimerBit = 1;

    private static readonly TickRate s_rate = new(Frequency);

    private readonly Lock _lock = new();
    private readonly IVirtualClock _clock;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly PmTimerOptions _options;
    private readonly int _halfTurnShift;
    private long _timeBase;
    private long _halfTurns;
    private long _armed = long.MaxValue;
    private bool _status;
    private bool _enabled;
    private bool _line;
    private ushort? _port;

    /// <summary>Makes a timer at zero and at no port.</summary>
    /// <param name="clock">The VM's time.</param>
    /// <param name="deadlines">The VM's alarms.</param>
    /// <param name="options">How it is built; null for the defaults.</param>
    public PmTimer(IVirtualClock clock, DeadlineQueue deadlines, PmTimerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(deadlines);
        _clock = clock;
        _deadlines = deadlines;
        _options = options ?? new();
        _halfTurnShift = _options.Narrow ? 23 : 31;
        _deadline = deadlines.Create(this, 0);
        _timeBase = clock.Now;
    }

    /// <summary>Where the timer is; null for nowhere.</summary>
    public ushort? Port
    {
        get
        {
            lock (_lock)
            {
                return _port;
            }
        }
    }

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = new(VmmDataClass.PmTimer, 1, ExchangeLength, 0);

    /// <inheritdoc/>
    /// <remarks>Not to be called on two threads at once: the ports are moved outside the chip's lock.</remarks>
    public void Locate(ushort port)
    {
        ushort? old = Port;
        if (old == port)
        {
            return;
        }

        _options.Relocate?.Invoke(old, port);
        lock (_lock)
        {
            _port = port;
        }
    }

    /// <summary>Clears status and enable, as a reset of the VM does; the counter goes on and keeps its port.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            _status = false;
            _enabled = false;
            Update();
        }
    }

    /// <summary>The guest reads the timer's port.</summary>
    /// <param name="bytes">4; another width is refused.</param>
    /// <param name="value">The counter; 0 when refused.</param>
    /// <returns>Handled or Refused.</returns>
    public PortOutcome Read(int bytes, out uint value)
    {
        value = 0;
        if (bytes != sizeof(uint))
        {
            return PortOutcome.Refused;
        }

        lock (_lock)
        {
            value = (uint)s_rate.TicksAt(_clock.Now - _timeBase) & (_options.Narrow ? 0x00ff_ffff : uint.MaxValue);
        }

        return PortOutcome.Handled;
    }

    /// <summary>The guest writes the timer's port, which is read-only.</summary>
    /// <returns>Refused.</returns>
    public static PortOutcome Write() => PortOutcome.Refused;

    /// <summary>The guest reads the PM1 event block: TMR_STS is bit 0 of byte 0, TMR_EN bit 0 of byte 2; the rest is zero.</summary>
    /// <param name="offset">The first byte; beyond the block zero is read.</param>
    /// <param name="bytes">The width, 1 to 4.</param>
    public uint ReadEvents(int offset, int bytes)
    {
        uint block;
        lock (_lock)
        {
            Synchronize(_clock.Now);
            block = (_status ? TimerBit : 0u) | ((_enabled ? TimerBit : 0u) << (EnableOffset * 8));
        }

        if (offset is < 0 or >= EventBlockSize)
        {
            return 0;
        }

        block >>= offset * 8;
        return bytes >= sizeof(uint) ? block : block & ((1u << (Math.Max(bytes, 0) * 8)) - 1);
    }

    /// <summary>The guest writes the PM1 event block: a one to TMR_STS clears it.</summary>
    /// <param name="offset">The first byte; nothing happens beyond the block.</param>
    /// <param name="bytes">The width, 1 to 4.</param>
    /// <param name="value">The value.</param>
    public void WriteEvents(int offset, int bytes, uint value)
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            for (int index = 0; index < Math.Min(bytes, EventBlockSize); index++)
            {
                bool bit = ((value >> (index * 8)) & TimerBit) != 0;
                switch ((long)offset + index)
                {
                    case 0:
                        _status &= !bit;
                        break;
                    case EnableOffset:
                        _enabled = bit;
                        break;
                    default:
                        break;
                }
            }

            Update();
        }
    }

    /// <inheritdoc/>
    public void DeadlineReached(int timer, long now)
    {
        lock (_lock)
        {
            Synchronize(now);
            _armed = long.MaxValue;
            Update();
        }
    }

    /// <summary>Gives the state as of now.</summary>
    public PmTimerState Save()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            return new()
            {
                Version = PmTimerState.CurrentVersion,
                TimeBase = _timeBase,
                HalfTurns = _halfTurns,
                Status = _status,
                Enabled = _enabled,
                Port = _port,
            };
        }
    }

    /// <summary>
    /// Takes a state. Neither the line is driven nor the port moved: the interrupt controller's own state knows the level,
    /// and ports are the board's to attach.
    /// </summary>
    /// <param name="state">The state; the VM's clock goes on from where it was saved.</param>
    /// <exception cref="ArgumentException">The version is another.</exception>
    public void Restore(PmTimerState state)
    {
        if (state.Version != PmTimerState.CurrentVersion)
        {
            throw new ArgumentException($"Version {state.Version} of the state is not known.", nameof(state));
        }

        lock (_lock)
        {
            _timeBase = state.TimeBase;
            _halfTurns = state.HalfTurns;
            _status = state.Status;
            _enabled = state.Enabled;
            _port = state.Port;
            _line = _status && _enabled;
            Update();
        }
    }

    /// <inheritdoc/>
    /// <remarks>bhyve's class PM_TIMER, version 1, which knows neither status nor enable.</remarks>
    public VmmDataResult Read(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        Span<byte> data = request.Data[..ExchangeLength];
        data.Clear();
        lock (_lock)
        {
            BinaryPrimitives.WriteInt64LittleEndian(data, _timeBase);
            BinaryPrimitives.WriteUInt16LittleEndian(data[8..], _port ?? 0);
        }

        return new(VmmError.None, ExchangeLength);
    }

    /// <inheritdoc/>
    /// <remarks>The port is ignored. Half turns before now leave no status.</remarks>
    public VmmDataResult Write(VmmDataRequest request)
    {
        if (request.Data.Length < ExchangeLength)
        {
            return new(VmmError.ENOSPC, ExchangeLength);
        }

        lock (_lock)
        {
            _timeBase = BinaryPrimitives.ReadInt64LittleEndian(request.Data);
            _halfTurns = HalfTurnsAt(_clock.Now);
            Update();
        }

        return new(VmmError.None, ExchangeLength);
    }

    private long HalfTurnsAt(long now) => s_rate.TicksAt(now - _timeBase) >> _halfTurnShift;

    private void Synchronize(long now)
    {
        long halfTurns = HalfTurnsAt(now);
        if (halfTurns > _halfTurns)
        {
            _halfTurns = halfTurns;
            _status = true;
            Update();
        }
    }

    private void Update()
    {
        bool line = _status && _enabled;
        if (_line != line)
        {
            _line = line;
            _options.SystemControlInterrupt?.SetLevel(line);
        }

        long due = long.MaxValue;
        if (_enabled && !_status)
        {
            long span = s_rate.TimeOf((_halfTurns + 1) << _halfTurnShift);
            due = span > 0 && _timeBase > long.MaxValue - span ? long.MaxValue : _timeBase + span;
        }

        if (due != _armed)
        {
            _armed = due;
            _deadlines.Arm(_deadline, due);
        }
    }
}
