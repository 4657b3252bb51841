// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Chips;

namespace Vmm.Emulation.Timers;

/// <summary>
/// A high-precision event timer block (<c>struct vhpet</c>), after the IA-PC HPET specification 1.0a, with bhyve's numbers
/// and choices: 2^24 Hz; accesses of 4 or 8 bytes, naturally aligned, others read zero and are dropped. Any thread.
/// </summary>
/// <remarks>
/// <para>
/// A one-shot timer set to a value that has passed fires when the counter comes round. A periodic timer set to one advances
/// to its next multiple, as it does after a pause of the VM: missed periods are one interrupt, and their number costs nothing.
/// A timer with FSB delivery is edge-triggered: the level bit is dropped.
/// </para>
/// <para>
/// Lock order: this chip's lock, then whatever the outputs take, and the queue's. The outputs are driven with the lock held.
/// </para>
/// </remarks>
public sealed partial class Hpet : IHpet, IDeadlineHandler
{
    /// <summary>Bytes of the register window.</summary>
    public const int WindowSize = 0x400;

    /// <summary>The rate of the main counter in Hz.</summary>
    public const int Frequency = 1 << 24;

    private const long FemtosecondsPerSecond = 1_000_000_000_000_000;
    private const int LegacyTimers = 2;
    private const long Never = long.MaxValue;

    private static readonly TickRate s_rate = new(Frequency);

    private readonly Lock _lock = new();
    private readonly IVirtualClock _clock;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly IHpetOutputs _outputs;
    private readonly HpetOptions _options;
    private readonly HpetTimerState[] _timers;
    private ulong _configuration;
    private uint _status;
    private ulong _counterBase;
    private long _timeBase;
    private long _elapsed;
    private long _armed = long.MaxValue;
    private uint _pins;
    private uint _legacyLines;

    /// <summary>Makes a block in its reset state: stopped, counter zero.</summary>
    /// <param name="clock">The VM's time.</param>
    /// <param name="deadlines">The VM's alarms.</param>
    /// <param name="outputs">Where interrupts go.</param>
    /// <param name="options">How it is built; null for bhyve's.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of timers is out of range.</exception>
    public Hpet(IVirtualClock clock, DeadlineQueue deadlines, IHpetOutputs outputs, HpetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(deadlines);
        ArgumentNullException.ThrowIfNull(outputs);
        _options = options ?? new();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.Timers, 3, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_options.Timers, 32, nameof(options));
        _clock = clock;
        _deadlines = deadlines;
        _outputs = outputs;
        _timers = new HpetTimerState[_options.Timers];
        _deadline = deadlines.Create(this, 0);
        Capabilities = ((ulong)(FemtosecondsPerSecond / Frequency) << 32) | 0x8086_0001
            | ((ulong)(_options.Timers - 1) << 8) | (_options.Wide ? 1u << 13 : 0) | (_options.LegacyReplacement ? 1u << 15 : 0);
        PowerOn();
    }

    /// <inheritdoc/>
    public ulong Capabilities { get; }

    private bool IsEnabled => (_configuration & Enable) != 0;

    private bool IsLegacy => (_configuration & LegacyRouting) != 0;

    private ulong Counter => Truncate(_counterBase + (IsEnabled ? (ulong)_elapsed : 0));

    /// <summary>Puts everything back to power-on; lines go low.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            bool legacy = IsLegacy;
            PowerOn();
            UpdateLines();
            if (legacy)
            {
                _outputs.SetLegacyRouting(false);
            }

            Rearm();
        }
    }

    /// <inheritdoc/>
    public void DeadlineReached(int timer, long now)
    {
        lock (_lock)
        {
            Synchronize(now);
            _armed = Never;
            Rearm();
        }
    }

    /// <summary>Gives the state as of now.</summary>
    public HpetState Save()
    {
        lock (_lock)
        {
            Synchronize(_clock.Now);
            return new()
            {
                Version = HpetState.CurrentVersion,
                Configuration = _configuration,
                Status = _status,
                CounterBase = _counterBase,
                TimeBase = _timeBase,
                Timers = [.. _timers],
            };
        }
    }

    /// <summary>Takes a state. No line is driven: the interrupt controller's own state knows the levels.</summary>
    /// <param name="state">The state; the VM's clock goes on from where it was saved.</param>
    /// <exception cref="ArgumentException">The version or the number of timers is another, or no chip can be in this state.</exception>
    public void Restore(HpetState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Version != HpetState.CurrentVersion || state.Timers.Count != _timers.Length)
        {
            throw new ArgumentException(
                $"Version {state.Version} with {state.Timers.Count} timers is not what this chip has.", nameof(state));
        }

        if ((state.Configuration & ~WritableConfiguration) != 0 || state.Timers.Any(timer => !IsValid(timer)))
        {
            throw new ArgumentException("No chip can be in this state.", nameof(state));
        }

        lock (_lock)
        {
            _configuration = state.Configuration;
            _status = state.Status;
            _counterBase = state.CounterBase;
            _timeBase = state.TimeBase;
            _elapsed = 0;
            for (int index = 0; index < _timers.Length; index++)
            {
                _timers[index] = state.Timers[index];
            }

            AdoptLines();
            Rearm();
        }
    }

    private ulong Truncate(ulong value) => _options.Wide ? value : (uint)value;

    private bool IsValid(in HpetTimerState timer) =>
        (timer.Configuration & ~WritableTimer) == 0 && timer.Target >= 0
        && (IsWide(timer) || (timer.Comparator <= uint.MaxValue && timer.Period <= uint.MaxValue))
        && (timer.Period == 0 || (timer.Configuration & Periodic) != 0);

    private void PowerOn()
    {
        _configuration = 0;
        _status = 0;
        _counterBase = 0;
        _timeBase = _clock.Now;
        _elapsed = 0;
        Array.Fill(_timers, new() { Comparator = _options.Wide ? ulong.MaxValue : uint.MaxValue, Target = Never });
    }

    // Brings the counter to the present and makes the matches on the way. A caller's time may be older than what another
    // thread has already brought it to.
    private void Synchronize(long now)
    {
        if (!IsEnabled || now < _timeBase)
        {
            return;
        }

        long elapsed = s_rate.TicksAt((long)Math.Min((ulong)now - (ulong)_timeBase, long.MaxValue));
        if (elapsed <= _elapsed)
        {
            return;
        }

        _elapsed = elapsed;
        for (int index = 0; index < _timers.Length; index++)
        {
            if (_timers[index].Target <= elapsed)
            {
                Match(ref _timers[index]);
                Interrupt(index);
            }
        }
    }

    private void Match(ref HpetTimerState timer)
    {
        ulong late = (ulong)(_elapsed - timer.Target);
        if (timer.Period != 0)
        {
            ulong advance = ((late / timer.Period) + 1) * timer.Period;
            timer.Comparator = Truncate(timer, timer.Comparator + advance);
            timer.Target = Add(timer.Target, advance);
        }
        else
        {
            timer.Target = IsWide(timer) ? Never : Add(timer.Target, ((late >> 32) + 1) << 32);
        }
    }

    // Finds a timer's next match from its comparator and the counter.
    private void Start(ref HpetTimerState timer)
    {
        ulong counter = Truncate(timer, Counter);
        ulong behind = Truncate(timer, counter - timer.Comparator);
        ulong half = IsWide(timer) ? 1UL << 63 : 1UL << 31;
        if (timer.Period != 0 && behind < half)
        {
            timer.Comparator = Truncate(timer, timer.Comparator + (((behind / timer.Period) + 1) * timer.Period));
        }

        ulong distance = Truncate(timer, timer.Comparator - counter);
        if (distance == 0)
        {
            timer.Target = IsWide(timer) ? Never : Add(_elapsed, 1UL << 32);
        }
        else
        {
            timer.Target = Add(_elapsed, distance);
        }
    }

    private void StartAll()
    {
        _timeBase = _clock.Now;
        _elapsed = 0;
        for (int index = 0; index < _timers.Length; index++)
        {
            Start(ref _timers[index]);
        }
    }

    private static long Add(long target, ulong ticks) =>
        ticks > (ulong)(Never - target) ? Never : target + (long)ticks;

    private void Rearm()
    {
        long next = Never;
        if (IsEnabled)
        {
            for (int index = 0; index < _timers.Length; index++)
            {
                // A level that is asserted already hides further matches until it is acknowledged.
                bool heard = (_timers[index].Configuration & InterruptEnable) != 0 && (_status & (1u << index)) == 0
                    && IsConnected(index);
                next = heard ? Math.Min(next, _timers[index].Target) : next;
            }
        }

        long due = Never;
        if (next != Never)
        {
            long span = s_rate.TimeOf(next);
            due = span > 0 && _timeBase > Never - span ? Never : _timeBase + span;
        }

        if (due != _armed)
        {
            _armed = due;
            _deadlines.Arm(_deadline, due);
        }
    }
}
