// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;

namespace Vmm.Emulation.Timers;

/// <summary>
/// A real-time clock with 128 bytes of battery-backed memory (<c>struct vrtc</c>), after the MC146818 data sheet, with bhyve's
/// century at 32h. Any thread.
/// </summary>
/// <remarks>
/// <para>
/// A divider chain of 32768 Hz makes the periodic rates and the seconds; it runs while register A selects 010b. The time runs
/// while the chain does, SET is clear, and the registers hold a date from 1970 to 9999; a guest that writes any other date
/// stops the clock until it writes a good one. UIP is set for 244 us before the update cycle and the 1984 us of the cycle;
/// the registers change when it ends. The flags of register C are set whether or not their interrupt is enabled, as on the
/// chip. Flags that were missed during a pause are set once. Daylight saving and the square wave are not built in: their
/// bits are kept.
/// </para>
/// <para>
/// Lock order: this chip's lock, then the line's and the queue's. The line is driven with the lock held and must not call back.
/// </para>
/// </remarks>
public sealed partial class Rtc : IRtc, IDeadlineHandler
{
    /// <summary>The port of the index register.</summary>
    public const ushort AddressPort = 0x70;

    /// <summary>The port of the data.</summary>
    public const ushort DataPort = 0x71;

    private const int MemorySize = 128;
    private const int TickShift = 15;
    private const int TicksPerSecond = 1 << TickShift;
    private const long Second = 1_000_000_000;
    private const int SecondsPerDay = 86_400;

    private static readonly TickRate s_rate = new(TicksPerSecond);

    private readonly Lock _lock = new();
    private readonly IVirtualClock _clock;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly IInterruptLine _interrupt;
    private readonly byte[] _memory = new byte[MemorySize];
    private byte _address = StatusD;
    private bool _nmiMasked;
    private long _timeBase;
    private int _ticks;
    private long _seconds;
    private bool _isValid = true;
    private bool _line;
    private long _armed = long.MaxValue;

    /// <summary>Makes a running clock, BCD, 24 hours, no interrupt enabled.</summary>
    /// <param name="clock">The VM's time.</param>
    /// <param name="deadlines">The VM's alarms.</param>
    /// <param name="interrupt">Interrupt 8: high from a flag's interrupt until register C is read.</param>
    /// <param name="time">The date and time now; null for the beginning of 1970.</param>
    /// <exception cref="ArgumentOutOfRangeException">The date is before 1970.</exception>
    public Rtc(IVirtualClock clock, DeadlineQueue deadlines, IInterruptLine interrupt, DateTimeOffset? time = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(deadlines);
        ArgumentNullException.ThrowIfNull(interrupt);
        _clock = clock;
        _deadlines = deadlines;
        _interrupt = interrupt;
        _deadline = deadlines.Create(this, 0);
        _memory[StatusA] = DividerOn;
        _memory[StatusB] = Hours24;
        _memory[StatusD] = ValidMemory;
        SetTime(time ?? DateTimeOffset.UnixEpoch);
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Whole seconds in universal time; the beginning of 1970 while the registers hold a date that does not exist. Setting
    /// starts the divider chain at the fraction given.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The date is before 1970.</exception>
    public DateTimeOffset Time
    {
        get
        {
            lock (_lock)
            {
                Synchronize(_clock.Now);
                return DateTimeOffset.FromUnixTimeSeconds(_isValid ? _seconds : 0);
            }
        }

        set
        {
            lock (_lock)
            {
                Synchronize(_clock.Now);
                if (IsHeld)
                {
                    throw new VmmException("vrtc_set_time", VmmError.EBUSY, "The guest holds the clock (SET in register B).");
                }

                SetTime(value);
                Update();
            }
        }
    }

    /// <summary>
    /// Told whenever the guest, a reset or a restored state masks the non-maskable interrupt (bit 7 of port 70h) or lets it through. Called
    /// with the chip's lock held.
    /// </summary>
    public Action<bool>? NmiMaskChanged { get; init; }

    /// <summary>Whether the guest masks the non-maskable interrupt (bit 7 of port 70h). For the board to heed.</summary>
    public bool NmiMasked
    {
        get
        {
            lock (_lock)
            {
                return _nmiMasked;
            }
        }
    }

    /// <summary>What a reset of the VM does: interrupts and the square wave are disabled; time and memory stay.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            _memory[StatusB] &= unchecked((byte)~(InterruptMask | SquareWave));
            _memory[StatusC] = 0;
            SetNmiMasked(false);
            Update();
        }
    }

    /// <inheritdoc/>
    public byte ReadNvram(int offset)
    {
        if (offset is < 0 or >= MemorySize)
        {
            throw new VmmException("vrtc_nvram_read", VmmError.EINVAL, $"There is no byte {offset}: 0 to 127 exist.");
        }

        lock (_lock)
        {
            Synchronize(_clock.Now);
            ShowTime();
            return _memory[offset];
        }
    }

    /// <inheritdoc/>
    public void WriteNvram(int offset, byte value)
    {
        if (offset is <= StatusD or Century or >= MemorySize)
        {
            throw new VmmException(
                "vrtc_nvram_write", VmmError.EINVAL, $"Byte {offset} is the clock's or does not exist: 14 to 127 except 50 may be written.");
        }

        lock (_lock)
        {
            _memory[offset] = value;
        }
    }

    /// <summary>The guest reads a port; the index register reads all ones.</summary>
    /// <param name="port">70h or 71h.</param>
    /// <param name="bytes">1; another width is refused.</param>
    /// <param name="value">The value; 0 unless handled.</param>
    /// <returns>Handled; Refused for another width; Unclaimed for another port.</returns>
    public PortOutcome Read(ushort port, int bytes, out uint value)
    {
        value = 0;
        if (port is not AddressPort and not DataPort)
        {
            return PortOutcome.Unclaimed;
        }

        if (bytes != 1)
        {
            return PortOutcome.Refused;
        }

        if (port == AddressPort)
        {
            value = byte.MaxValue;
            return PortOutcome.Handled;
        }

        lock (_lock)
        {
            value = ReadData();
        }

        return PortOutcome.Handled;
    }

    /// <summary>The guest writes a port.</summary>
    /// <param name="port">70h or 71h.</param>
    /// <param name="bytes">1; another width is refused.</param>
    /// <param name="value">The value.</param>
    /// <returns>Handled; Refused for another width; Unclaimed for another port.</returns>
    public PortOutcome Write(ushort port, int bytes, uint value)
    {
        if (port is not AddressPort and not DataPort)
        {
            return PortOutcome.Unclaimed;
        }

        if (bytes != 1)
        {
            return PortOutcome.Refused;
        }

        lock (_lock)
        {
            if (port == AddressPort)
            {
                _address = (byte)(value & 0x7f);
                SetNmiMasked((value & 0x80) != 0);
            }
            else
            {
                WriteData((byte)value);
            }
        }

        return PortOutcome.Handled;
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
    public RtcState Save()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            ShowTime();
            return new()
            {
                Version = RtcState.CurrentVersion,
                Memory = (byte[])_memory.Clone(),
                Address = _address,
                NmiMasked = _nmiMasked,
                TimeBase = _timeBase,
                Ticks = _ticks,
                Seconds = _seconds,
                IsValid = _isValid,
            };
        }
    }

    /// <summary>Takes a state. The line is not driven: the interrupt controller's own state knows its level.</summary>
    /// <param name="state">The state; the VM's clock goes on from where it was saved.</param>
    /// <exception cref="ArgumentException">The version is another, or no chip can be in this state.</exception>
    public void Restore(RtcState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Version != RtcState.CurrentVersion)
        {
            throw new ArgumentException($"Version {state.Version} of the state is not known.", nameof(state));
        }

        if (state.Memory.Length != MemorySize || state.Address >= MemorySize || state.Ticks is < 0 or >= TicksPerSecond
            || state.Seconds is < 0 or > LastSecond)
        {
            throw new ArgumentException("No chip can be in this state.", nameof(state));
        }

        lock (_lock)
        {
            state.Memory.Span.CopyTo(_memory);
            CleanRegisters();
            _address = state.Address;
            SetNmiMasked(state.NmiMasked);
            _timeBase = state.TimeBase;
            _ticks = state.Ticks;
            _seconds = state.Seconds;
            _isValid = state.IsValid;
            Adopt();
        }
    }

    private void SetNmiMasked(bool masked)
    {
        if (_nmiMasked != masked)
        {
            _nmiMasked = masked;
            NmiMaskChanged?.Invoke(masked);
        }
    }

    // The line's level is as the registers say: the interrupt controller's state already counts it.
    private void Adopt()
    {
        _line = IsRequesting;
        Update();
    }

    private void CleanRegisters()
    {
        _memory[Seconds] &= 0x7f;
        _memory[StatusA] &= unchecked((byte)~UpdateInProgress);
        _memory[StatusC] &= InterruptMask;
        _memory[StatusD] = ValidMemory;
    }

    private void SetTime(DateTimeOffset time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, DateTimeOffset.UnixEpoch);
        long fraction = time.UtcTicks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick;
        _seconds = time.ToUnixTimeSeconds();
        _isValid = true;
        _timeBase = _clock.Now - fraction;
        _ticks = (int)s_rate.TicksAt(fraction);
    }
}
