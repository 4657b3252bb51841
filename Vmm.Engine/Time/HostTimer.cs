// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Time;
using Vmm.Emulation.Timers;

namespace Vmm.Engine.Time;

/// <summary>
/// The thread that runs what is due in all VMs of the process, whether their vCPUs execute or sleep. It waits for the earliest of
/// their times and for nothing else.
/// </summary>
/// <remarks>
/// VMs of a hypervisor with a precise wait share one thread, those of the others (a scripted one, say) another one. A thread
/// starts with the first VM that arms a timer and stays.
/// </remarks>
internal sealed class HostTimer
{
    private const long NanosecondsPerMillisecond = 1_000_000;

    private static readonly Lock s_lock = new();
    private static HostTimer? s_precise;
    private static HostTimer? s_plain;

    private readonly DeadlineQueue _queue;
    private readonly Stack<Alarm> _free = [];
    private readonly IPreciseWait? _wait;
    private readonly object _gate = new();
    private bool _isWoken;

    private HostTimer(IPreciseWait? wait)
    {
        _wait = wait;
        _queue = new DeadlineQueue(_ => Wake());
        new Thread(Run) { IsBackground = true, Name = "vmm-timer", Priority = ThreadPriority.Highest }.Start();
    }

    /// <summary>The timer for VMs of a hypervisor.</summary>
    public static HostTimer For(IHypervisorBackend backend)
    {
        lock (s_lock)
        {
            return backend is IPreciseWaitProvider provider
                ? s_precise ??= new HostTimer(provider.CreatePreciseWait())
                : s_plain ??= new HostTimer(null);
        }
    }

    /// <summary>Gives a VM an alarm of its own.</summary>
    public Alarm Take(VirtualTime target)
    {
        lock (_free)
        {
            if (!_free.TryPop(out Alarm? alarm))
            {
                alarm = new Alarm(this);
            }

            alarm.Target = new WeakReference<VirtualTime>(target);
            return alarm;
        }
    }

    private void Run()
    {
        while (true)
        {
            long now = HostClock.Now.Nanoseconds;
            if (_queue.NextDue <= now)
            {
                _queue.RunDue(now);
            }
            else
            {
                Wait();
            }
        }
    }

    private void Wait()
    {
        if (_wait is not null)
        {
            _wait.WaitUntil(new HostTime(_queue.NextDue));
            return;
        }

        lock (_gate)
        {
            long due = _queue.NextDue;
            if (!_isWoken)
            {
                Monitor.Wait(_gate, due == long.MaxValue ? Timeout.Infinite : Milliseconds(due - HostClock.Now.Nanoseconds));
            }

            _isWoken = false;
        }
    }

    private static int Milliseconds(long left) =>
        (int)Math.Clamp((left + NanosecondsPerMillisecond - 1) / NanosecondsPerMillisecond, 0, int.MaxValue);

    private void Wake()
    {
        if (_wait is not null)
        {
            _wait.Wake();
            return;
        }

        lock (_gate)
        {
            _isWoken = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>One VM's entry. Alarms are used again by later VMs, so that their number is that of VMs at one time.</summary>
    internal sealed class Alarm : IDeadlineHandler
    {
        private readonly HostTimer _timer;
        private readonly Deadline _deadline;

        public Alarm(HostTimer timer)
        {
            _timer = timer;
            _deadline = timer._queue.Create(this, 0);
        }

        /// <summary>Whose it is. A VM that its owner forgot is not kept by its timers.</summary>
        public WeakReference<VirtualTime>? Target { get; set; }

        /// <summary>Sets the alarm to a time of the host; <see cref="long.MaxValue"/> stops it.</summary>
        public void Arm(long hostTime) => _timer._queue.Arm(_deadline, hostTime);

        /// <summary>Gives the alarm back.</summary>
        public void Release()
        {
            _timer._queue.Disarm(_deadline);
            lock (_timer._free)
            {
                Target = null;
                _timer._free.Push(this);
            }
        }

        void IDeadlineHandler.DeadlineReached(int timer, long now)
        {
            WeakReference<VirtualTime>? target = Target;
            if (target is null)
            {
                return;
            }

            if (target.TryGetTarget(out VirtualTime? time))
            {
                time.RunFromHostTimer();
            }
            else
            {
                Release();
            }
        }
    }
}
