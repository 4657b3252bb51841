// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Time;

namespace Vmm.Software.Interop;

/// <summary>A wait by ppoll(2), whose time limit has nanoseconds, on an eventfd that ends it early.</summary>
internal sealed class PreciseWait : IPreciseWait
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly SafeFileHandle _wake;
    private int _thread;

    public PreciseWait()
    {
        int fd = LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        _wake = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Refused("eventfd", LibC.Errno);
    }

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

        Take();
    }

    /// <inheritdoc/>
    public unsafe void Wake()
    {
        ulong one = 1;

        // SAFETY: eight bytes of a local on this stack. A counter that is full (EAGAIN) has woken somebody already.
        if (LibC.write(_wake, &one, sizeof(ulong)) < 0 && LibC.Errno is var error && error != VmmError.EAGAIN)
        {
            throw Refused("write (eventfd)", error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    // Stopwatch counts nanoseconds of CLOCK_MONOTONIC on Linux.
    private static long Now => (long)((Int128)Stopwatch.GetTimestamp() * NanosecondsPerSecond / Stopwatch.Frequency);

    private unsafe void Poll(TimeSpec? limit)
    {
        TimeSpec left = limit.GetValueOrDefault();
        bool isHeld = false;
        try
        {
            _wake.DangerousAddRef(ref isHeld);
            PollFd descriptor = new() { Fd = (int)_wake.DangerousGetHandle(), Events = LibC.POLLIN };

            // SAFETY: locals of this stack; the descriptor is held; without a mask the thread's own stays.
            if (LibC.ppoll(&descriptor, 1, limit is null ? null : &left, null) < 0
                && LibC.Errno is var error && error != VmmError.EINTR)
            {
                throw Refused("ppoll", error);
            }
        }
        finally
        {
            if (isHeld)
            {
                _wake.DangerousRelease();
            }
        }
    }

    private unsafe void Take()
    {
        ulong count;

        // SAFETY: eight bytes of a local on this stack.
        if (LibC.read(_wake, &count, sizeof(ulong)) < 0 && LibC.Errno is var error && error != VmmError.EAGAIN)
        {
            throw Refused("read (eventfd)", error);
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

    private static VmmException Refused(string call, VmmError error) => new(call, error, "the timer thread cannot wait");
}
