// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>glibc's <c>sigset_t</c>: 1024 bits, of which the kernel knows the first 64.</summary>
[InlineArray(16)]
internal struct SignalSet
{
    private ulong _element0;

    /// <summary>The set that holds one signal.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    public static SignalSet Of(int signal)
    {
        SignalSet set = default;
        set[0] = KernelBit(signal);
        return set;
    }

    /// <summary>The signal's bit in the kernel's own 64-bit set.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    public static ulong KernelBit(int signal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(signal, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(signal, 64);
        return 1UL << (signal - 1);
    }
}

/// <summary>glibc's <c>struct sigaction</c> on x86-64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SignalAction
{
    public nint Handler;
    public SignalSet Mask;
    public int Flags;
    public nint Restorer;
}

/// <summary><c>struct timespec</c> on x86-64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    public long Seconds;
    public long Nanoseconds;
}

/// <summary>Signals of a thread, as far as a kick needs them; failures are host errors.</summary>
internal static unsafe class Signals
{
    /// <summary>Makes the process ignore a signal wherever a thread has it unblocked.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    public static void Ignore(int signal)
    {
        SignalAction action = default;
        action.Handler = LibC.SIG_IGN;

        // SAFETY: the local outlives the call, which copies it.
        if (LibC.sigaction(signal, &action, null) != 0)
        {
            throw KvmThrow.Host("sigaction", LibC.Errno);
        }
    }

    /// <summary>Whether nobody in this process handles a signal: its disposition is the default or to ignore it.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    public static bool IsUnhandled(int signal)
    {
        SignalAction action = default;

        // SAFETY: the local outlives the call, which fills it.
        if (LibC.sigaction(signal, null, &action) != 0)
        {
            throw KvmThrow.Host("sigaction", LibC.Errno);
        }

        return action.Handler is LibC.SIG_DFL or LibC.SIG_IGN;
    }

    /// <summary>Blocks a signal in the calling thread.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    /// <returns>The mask before, in the kernel's 64-bit form.</returns>
    public static ulong Block(int signal) => Change(LibC.SIG_BLOCK, SignalSet.KernelBit(signal));

    /// <summary>Puts a mask in force in the calling thread.</summary>
    /// <param name="mask">The mask, in the kernel's 64-bit form.</param>
    public static void Restore(ulong mask) => Change(LibC.SIG_SETMASK, mask);

    /// <summary>The calling thread's mask, in the kernel's 64-bit form.</summary>
    public static ulong Mask() => Change(LibC.SIG_BLOCK, 0);

    /// <summary>Takes the signal if it is pending for the calling thread; it must be blocked there.</summary>
    /// <param name="signal">The signal, 1 to 64.</param>
    /// <returns>Whether one was pending.</returns>
    public static bool Consume(int signal)
    {
        SignalSet set = SignalSet.Of(signal);
        TimeSpec now = default;

        // SAFETY: both locals outlive the call; no information is asked for.
        return LibC.sigtimedwait(&set, null, &now) == signal;
    }

    /// <summary>Sends a signal to a thread of this process.</summary>
    /// <param name="threadId">The kernel's thread id (<c>gettid</c>).</param>
    /// <param name="signal">The signal, 1 to 64.</param>
    /// <returns>False when the thread is gone.</returns>
    public static bool Send(int threadId, int signal)
    {
        if (LibC.tgkill(Environment.ProcessId, threadId, signal) == 0)
        {
            return true;
        }

        int errno = LibC.Errno;
        return errno == (int)VmmError.ESRCH ? false : throw KvmThrow.Host("tgkill", errno);
    }

    private static ulong Change(int how, ulong mask)
    {
        SignalSet set = default;
        SignalSet previous = default;
        set[0] = mask;

        // SAFETY: both locals outlive the call.
        int errno = LibC.pthread_sigmask(how, &set, &previous);
        return errno == 0 ? previous[0] : throw KvmThrow.Host("pthread_sigmask", errno);
    }
}
