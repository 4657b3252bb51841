// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;

namespace Vmm.Emulation.Timers;

/// <summary>
/// An 8254 interval timer as a PC wires it (<c>struct vatpit</c>): counter 0 drives interrupt 0, counter 1 stands for the memory
/// refresh, counter 2 feeds the speaker through port 61h. After the 82C54 data sheet; the exchange layout and the accesses
/// it refuses are bhyve's. Any thread.
/// </summary>
/// <remarks>
/// <para>
/// The counters see the edges of a clock that has ticked since virtual time zero: a count written between two pulses is loaded
/// by the next. Everything follows from the number of pulses, so no period drifts and a pause of any length costs the same.
/// Pulses of OUT0 that were missed meanwhile are seen by the line as one.
/// </para>
/// <para>
/// The line follows OUT0, except that the low level of modes 2, 4 and 5, which lasts a single pulse, is driven together
/// with the rising edge that ends it: one wake-up a period instead of two.
/// </para>
/// <para>
/// Lock order: this chip's lock, then the line's and the queue's. The line is driven with the lock held and must not call back.
/// </para>
/// </remarks>
public sealed partial class AtPit : IAtPit, IDeadlineHandler
{
    /// <summary>The first of the ports of the counters, 40h to 42h.</summary>
    public const ushort FirstPort = 0x40;

    /// <summary>The port of the control word.</summary>
    public const ushort ControlPort = 0x43;

    /// <summary>The port with the gate and output of counter 2.</summary>
    public const ushort SystemControlPort = 0x61;

    private const uint Hertz = 1_193_182;
    private const int ReadBack = 3;
    private const uint CountNotLatched = 0x20;
    private const uint StatusNotLatched = 0x10;
    private const int GateBit = 0x01;
    private const int SystemControlMask = 0x0f;
    private const uint RefreshToggle = 0x10;
    private const uint Output2 = 0x20;

    // Counter 1 asks for a refresh every 18 pulses, about 15 us, whatever the guest makes of it (IBM PC AT Technical
    // Reference, system timers); each request toggles the bit.
    private const int RefreshPulses = 18;

    internal static readonly TickRate Rate = new(Hertz);

    private readonly Lock _lock = new();
    private readonly IVirtualClock _clock;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly IInterruptLine _interrupt;
    private PitCounter _counter0;
    private PitCounter _counter1;
    private PitCounter _counter2;
    private byte _systemControl;
    private long _tick;
    private long _armed = long.MaxValue;
    private bool _line;

    /// <summary>Makes a chip on which nothing has been programmed; OUT is low and the gate of counter 2 is closed.</summary>
    /// <param name="clock">The VM's time.</param>
    /// <param name="deadlines">The VM's alarms.</param>
    /// <param name="interrupt">Interrupt 0.</param>
    public AtPit(IVirtualClock clock, DeadlineQueue deadlines, IInterruptLine interrupt)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(deadlines);
        ArgumentNullException.ThrowIfNull(interrupt);
        _clock = clock;
        _deadlines = deadlines;
        _interrupt = interrupt;
        _deadline = deadlines.Create(this, 0);
        PowerOn();
    }

    /// <inheritdoc/>
    public long Frequency => Hertz;

    /// <summary>Puts everything back to power-on; the line goes low.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            PowerOn();
            Drive(false);
            Rearm();
        }
    }

    /// <summary>The guest reads a port.</summary>
    /// <param name="port">40h to 43h or 61h.</param>
    /// <param name="bytes">The width; the counters answer single bytes only, port 61h any width.</param>
    /// <param name="value">The value; 0 unless handled.</param>
    /// <returns>
    /// Handled; Refused for port 43h, which cannot be read, and for another width; Unclaimed for another port.
    /// </returns>
    public PortOutcome Read(ushort port, int bytes, out uint value)
    {
        value = 0;
        switch (port)
        {
            case SystemControlPort:
                lock (_lock)
                {
                    Synchronize(_clock.Now);
                    value = ReadSystemControl();
                }

                return PortOutcome.Handled;
            case >= FirstPort and < ControlPort when bytes == 1:
                lock (_lock)
                {
                    Synchronize(_clock.Now);
                    value = Counter(port - FirstPort).Read();
                }

                return PortOutcome.Handled;
            case >= FirstPort and <= ControlPort:
                return PortOutcome.Refused;
            default:
                return PortOutcome.Unclaimed;
        }
    }

    /// <summary>The guest writes a port.</summary>
    /// <param name="port">40h to 43h or 61h.</param>
    /// <param name="bytes">The width, as for reading.</param>
    /// <param name="value">The value.</param>
    /// <returns>Handled; Refused for another width; Unclaimed for another port.</returns>
    public PortOutcome Write(ushort port, int bytes, uint value)
    {
        if (port is not SystemControlPort and not (>= FirstPort and <= ControlPort))
        {
            return PortOutcome.Unclaimed;
        }

        if (port != SystemControlPort && bytes != 1)
        {
            return PortOutcome.Refused;
        }

        lock (_lock)
        {
            Synchronize(_clock.Now);
            switch (port)
            {
                case SystemControlPort:
                    _systemControl = (byte)(value & SystemControlMask);
                    _counter2.SetGate((value & GateBit) != 0);
                    break;
                case ControlPort:
                    WriteControl(value & 0xff);
                    break;
                default:
                    Counter(port - FirstPort).Write((byte)value);
                    break;
            }

            FollowOutput();
            Rearm();
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
            Rearm();
        }
    }

    /// <summary>Gives the state as of now.</summary>
    public AtPitState Save()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            return new()
            {
                Version = AtPitState.CurrentVersion,
                Tick = _tick,
                Counter0 = _counter0.State,
                Counter1 = _counter1.State,
                Counter2 = _counter2.State,
                SystemControl = _systemControl,
                Line = _line,
            };
        }
    }

    /// <summary>
    /// Takes a state. The line is not driven: the interrupt controller's own state knows its level.
    /// </summary>
    /// <param name="state">The state; the VM's clock goes on from where it was saved.</param>
    /// <exception cref="ArgumentException">The version is another, or the state is none that a chip can be in.</exception>
    public void Restore(AtPitState state)
    {
        if (state.Version != AtPitState.CurrentVersion)
        {
            throw new ArgumentException($"Version {state.Version} of the state is not known.", nameof(state));
        }

        if (!PitCounter.IsValid(state.Counter0) || !PitCounter.IsValid(state.Counter1) || !PitCounter.IsValid(state.Counter2)
            || (state.SystemControl & ~SystemControlMask) != 0)
        {
            throw new ArgumentException("No chip can be in this state.", nameof(state));
        }

        lock (_lock)
        {
            _tick = state.Tick;
            _counter0.State = state.Counter0;
            _counter1.State = state.Counter1;
            _counter2.State = state.Counter2;
            _systemControl = state.SystemControl;
            _line = state.Line;
            Rearm();
        }
    }

    private void PowerOn()
    {
        _tick = Rate.TicksAt(_clock.Now);
        _counter0.State = PitCounter.PowerOn(gate: true);
        _counter1.State = PitCounter.PowerOn(gate: true);
        _counter2.State = PitCounter.PowerOn(gate: false);
        _systemControl = 0;
    }

    private ref PitCounter Counter(int index)
    {
        switch (index)
        {
            case 0:
                return ref _counter0;
            case 1:
                return ref _counter1;
            default:
                return ref _counter2;
        }
    }

    private void WriteControl(uint value)
    {
        int select = (int)(value >> 6);
        if (select == ReadBack)
        {
            for (int index = 0; index < 3; index++)
            {
                if ((value & (2u << index)) != 0)
                {
                    Latch(ref Counter(index), (value & CountNotLatched) == 0, (value & StatusNotLatched) == 0);
                }
            }
        }
        else if ((value & 0x30) == 0)
        {
            Counter(select).LatchCount();
        }
        else
        {
            bool before = _counter0.State.Output;
            Counter(select).WriteControl((int)value);
            bool after = _counter0.State.Output;
            if (select == 0)
            {
                // The line may have stayed high over a low OUT; a rise is seen all the same.
                Drive(before && after);
                Drive(after);
            }
        }
    }

    private static void Latch(ref PitCounter counter, bool count, bool status)
    {
        if (count)
        {
            counter.LatchCount();
        }

        if (status)
        {
            counter.LatchStatus();
        }
    }

    private uint ReadSystemControl()
    {
        bool refresh = (_tick / RefreshPulses & 1) != 0;
        return _systemControl | (refresh ? RefreshToggle : 0) | (_counter2.State.Output ? Output2 : 0);
    }

    // Brings the counters to the present. A caller's time may be older than what another thread has already brought them to.
    private void Synchronize(long now)
    {
        long ticks = Rate.TicksAt(now) - _tick;
        if (ticks <= 0)
        {
            return;
        }

        _tick += ticks;
        _counter1.Advance(ticks);
        _counter2.Advance(ticks);
        if (_counter0.Advance(ticks))
        {
            Drive(false);
            Drive(true);
        }

        FollowOutput();
    }

    private void FollowOutput()
    {
        if (_counter0.Mode is 0 or 1 or 3)
        {
            Drive(_counter0.State.Output);
        }
    }

    private void Drive(bool level)
    {
        if (_line != level)
        {
            _line = level;
            _interrupt.SetLevel(level);
        }
    }

    private void Rearm()
    {
        long ticks = _counter0.TicksToEdge();
        long due = ticks == PitCounter.Never ? long.MaxValue : Rate.TimeOf(_tick + ticks);
        if (due != _armed)
        {
            _armed = due;
            _deadlines.Arm(_deadline, due);
        }
    }
}
