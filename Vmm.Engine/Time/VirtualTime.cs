// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Time;
using Vmm.Emulation.Timers;

namespace Vmm.Engine.Time;

/// <summary>
/// A VM's time, and the deadlines of its chips: the host's monotonic clock since the VM's boot without the times it was paused, or a
/// clock turned by hand.
/// </summary>
/// <remarks>
/// <para>
/// What is due is run by the vCPUs' threads between two entries (<see cref="Poll"/>) and by the process's timer thread. A guest can
/// ask for periods of nanoseconds: the queue is run at most once in <see cref="MinimumInterval"/>, which the chips see as lateness. An
/// interrupt can take longer than that. While each run finds the next deadline passed already, the interval doubles up to
/// <see cref="LongestInterval"/>, so that the guest comes to something else than its timer; the first run in time ends that.
/// </para>
/// <para>
/// Lock order: <c>_runGate</c>, then whatever chips take, then <c>_lock</c>, then the timer thread's queue. A clock turned by
/// hand runs the deadlines itself, on the thread that turns it.
/// </para>
/// </remarks>
internal sealed class VirtualTime : IVirtualClock
{
    /// <summary>The shortest time between two runs of the queue, in nanoseconds.</summary>
    public const long MinimumInterval = 20_000;

    /// <summary>The shortest time between two runs while deadlines follow each other faster than they are served, in nanoseconds.</summary>
    public const long LongestInterval = 16 * MinimumInterval;

    private const long Running = long.MinValue;

    private readonly IHypervisorBackend _backend;
    private readonly ManualClock? _manual;
    private readonly Action<Exception> _failed;
    private readonly Lock _lock = new();
    private readonly Lock _runGate = new();
    private DeadlineQueue _deadlines;
    private HostTimer.Alarm? _alarm;
    private long _boot;
    private long _stoppedAt = Running;
    private long _notBefore = long.MinValue;
    private long _lastRun = long.MinValue / 2;
    private long _interval = MinimumInterval;
    private bool _isDisposed;

    /// <summary>Starts a VM's time at zero.</summary>
    /// <param name="backend">Says how to wait.</param>
    /// <param name="manual">The clock that is turned by hand, or null.</param>
    /// <param name="failed">Told what a device did on the timer thread, where nobody else could be told.</param>
    public VirtualTime(IHypervisorBackend backend, ManualClock? manual, Action<Exception> failed)
    {
        _backend = backend;
        _manual = manual;
        _failed = failed;
        _deadlines = manual?.Deadlines ?? new DeadlineQueue(_ => Schedule());
        _boot = manual is null ? HostClock.Now.Nanoseconds : 0;
    }

    /// <inheritdoc/>
    public long Now => _manual?.Now ?? At(HostClock.Now.Nanoseconds);

    /// <summary>The deadlines of the VM's chips.</summary>
    public DeadlineQueue Deadlines => _deadlines;

    /// <summary>Whether the clock is turned by hand.</summary>
    public bool IsManual => _manual is not null;

    /// <summary>What is to be added to a VM's time to get the host's.</summary>
    public long BootTimestamp => Volatile.Read(ref _boot);

    /// <summary>Runs what is due. On a vCPU's thread, before an entry.</summary>
    /// <param name="timestamp">A time stamp that was just taken.</param>
    public void Poll(long timestamp)
    {
        long due = _deadlines.NextDue;
        if (due == long.MaxValue || _manual is not null)
        {
            return;
        }

        long host = HostClock.FromTimestamp(timestamp);
        if (At(host) >= due && host >= Volatile.Read(ref _notBefore))
        {
            Run();
        }
    }

    /// <summary>Turns a clock that is turned by hand on to the next deadline, and runs what is due then.</summary>
    /// <returns>Whether there is one.</returns>
    public bool TrySkipToNextDeadline()
    {
        long due = _deadlines.NextDue;
        if (_manual is null || due == long.MaxValue)
        {
            return false;
        }

        _manual.AdvanceTo(Math.Max(due, _manual.Now));
        return true;
    }

    /// <summary>Runs what is due, unless the VM is going. On the timer thread.</summary>
    public void RunFromHostTimer()
    {
        lock (_runGate)
        {
            if (_isDisposed)
            {
                return;
            }

            try
            {
                Run();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                _failed(error);
            }
        }
    }

    /// <summary>Keeps the timer thread out, while the VM's parts are replaced.</summary>
    public Lock.Scope KeepTimerOut() => _runGate.EnterScope();

    /// <summary>Begins again at zero with an empty queue, after the chips have let go of the old one.</summary>
    public void Restart()
    {
        lock (_lock)
        {
            if (_manual is null)
            {
                _deadlines = new DeadlineQueue(_ => Schedule());
                Volatile.Write(ref _boot, HostClock.Now.Nanoseconds);
            }

            Volatile.Write(ref _stoppedAt, _stoppedAt == Running ? Running : 0);
        }

        Schedule();
    }

    /// <summary>Stops the time; a clock turned by hand is up to who turns it.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            if (_stoppedAt == Running && _manual is null)
            {
                Volatile.Write(ref _stoppedAt, HostClock.Now.Nanoseconds - _boot);
            }
        }

        Schedule();
    }

    /// <summary>Lets the time go on where it stopped.</summary>
    public void Continue()
    {
        lock (_lock)
        {
            if (_stoppedAt != Running)
            {
                // In this order: whoever sees that the time runs also sees the new beginning.
                Volatile.Write(ref _boot, HostClock.Now.Nanoseconds - _stoppedAt);
                Volatile.Write(ref _stoppedAt, Running);
            }
        }

        Schedule();
    }

    /// <summary>Says what keeps the VM's time from having begun at a point of the host's clock.</summary>
    /// <returns>
    /// EINVAL: it would lie in the future, or be so long ago that deadlines could not be told; ENOTSUP: the clock is turned by hand.
    /// </returns>
    public VmmError CheckBoot(long boot)
    {
        const long Longest = long.MaxValue / 4;
        if (_manual is not null)
        {
            return VmmError.ENOTSUP;
        }

        lock (_lock)
        {
            Int128 now = (Int128)(_stoppedAt != Running ? _stoppedAt + _boot : HostClock.Now.Nanoseconds) - boot;
            return now >= 0 && now <= Longest ? VmmError.None : VmmError.EINVAL;
        }
    }

    /// <summary>
    /// Moves the beginning of the VM's time, and so its present: also that at which it stands. Deadlines stay where they are in the VM's time.
    /// </summary>
    /// <param name="boot">A point that <see cref="CheckBoot"/> has nothing against.</param>
    public void MoveBoot(long boot)
    {
        if (_manual is not null)
        {
            return;
        }

        lock (_lock)
        {
            if (_stoppedAt != Running)
            {
                Volatile.Write(ref _stoppedAt, _stoppedAt + _boot - boot);
            }

            Volatile.Write(ref _boot, boot);
        }

        Schedule();
    }

    /// <summary>Lets the timer thread go; afterwards it does not run anything of this VM.</summary>
    public void Dispose()
    {
        lock (_runGate)
        {
            lock (_lock)
            {
                _isDisposed = true;
                _alarm?.Release();
                _alarm = null;
            }
        }
    }

    private long At(long host)
    {
        long stopped = Volatile.Read(ref _stoppedAt);
        return stopped != Running ? stopped : host - Volatile.Read(ref _boot);
    }

    private void Run()
    {
        long now = long.MinValue;
        lock (_lock)
        {
            long host = HostClock.Now.Nanoseconds;
            if (host >= _notBefore && _stoppedAt == Running)
            {
                now = host - _boot;
                bool isPressed = _deadlines.NextDue <= _lastRun - _boot + MinimumInterval;
                _interval = isPressed ? Math.Min(_interval * 2, LongestInterval) : MinimumInterval;
                _lastRun = host;
                Volatile.Write(ref _notBefore, host + _interval);
            }
        }

        if (now != long.MinValue)
        {
            _deadlines.RunDue(now);
        }

        Schedule();
    }

    /// <summary>
    /// Sets the alarm to the earliest deadline. Whoever comes last sees the newest one, because it is read under the lock. Called by
    /// chips that hold their own.
    /// </summary>
    private void Schedule()
    {
        lock (_lock)
        {
            long due = _deadlines.NextDue;
            if (_isDisposed || _manual is not null || (due == long.MaxValue && _alarm is null))
            {
                return;
            }

            _alarm ??= HostTimer.For(_backend).Take(this);
            _alarm.Arm(due == long.MaxValue || _stoppedAt != Running ? long.MaxValue : ToHost(due));
        }
    }

    private long ToHost(long due)
    {
        long host = due > long.MaxValue - Math.Max(_boot, 0) ? long.MaxValue - 1 : due + _boot;
        return Math.Max(host, _notBefore);
    }

    /// <summary>A point of the host's clock in the VM's time; wraps.</summary>
    public VmTime Normalize(HostTime time) => new(unchecked(time.Nanoseconds - BootTimestamp));

    /// <summary>A point of the VM's time on the host's clock; wraps.</summary>
    public HostTime Denormalize(VmTime time) => new(unchecked(time.Nanoseconds + BootTimestamp));
}
