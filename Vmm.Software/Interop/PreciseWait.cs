// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Time;

namespace Vmm.Software.Interop;

/// <summary>A wait by ppoll(2), whose time limit has nanoseconds, on an eventfd that ends it early.</summary>
internal sealed class PreciseWait : IPreciseWait
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly SafeHandle _wake = EventDescriptors.Create();
    private int _thread;

    /// <inheritdoc/>
    public void WaitUntil(HostTime time)
    {
        PrepareThread();
        if (time.Nanoseconds == long.MaxValue)
        {
            Poll(null);
        }
        else
        {
            long left = Math.Max(time.Nanoseconds - Now, 0);
            Poll(new TimeSpec { Seconds = left / NanosecondsPerSecond, Nanoseconds = left % NanosecondsPerSecond });
        }

        EventDescriptors.Take(_wake);
    }

    /// <inheritdoc/>
    public void Wake() => EventDescriptors.Signal(_wake);

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    // Stopwatch counts nanoseconds of CLOCK_MONOTONIC on Linux.
    private static long Now => (long)((Int128)Stopwatch.GetTimestamp() * NanosecondsPerSecond / Stopwatch.Frequency);

    private unsafe void Poll(TimeSpec? limit)
    {
        using EventDescriptors.Use use = new(_wake);
        TimeSpec left = limit.GetValueOrDefault();
        PollFd descriptor = new() { Fd = use.Number, Events = LibC.POLLIN };

        // SAFETY: locals of this stack; without a mask the thread's own stays.
        if (LibC.ppoll(&descriptor, 1, limit is null ? null : &left, null) < 0
            && LibC.Errno is var error && error != VmmError.EINTR)
        {
            throw new VmmException("ppoll", error, "the timer thread cannot wait");
        }
    }

    /// <summary>Threads may wake 50 us late by default, so that the host can collect wake-ups (prctl(2), PR_SET_TIMERSLACK).</summary>
    private void PrepareThread()
    {
        int thread = Environment.CurrentManagedThreadId;
        if (_thread != thread)
        {
            // A host that refuses leaves the wait less precise and no less right.
            _thread = thread;
            _ = LibC.prctl(LibC.PR_SET_TIMERSLACK, 1, 0, 0, 0);
        }
    }
}
