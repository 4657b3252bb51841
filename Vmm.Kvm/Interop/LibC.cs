// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// The C library, under its own names: every call that this assembly makes to the host goes through here.
/// </summary>
/// <remarks>
/// What Mono.Posix has (open, mmap, munmap, mprotect, errno names) is in the other part of this class; what it lacks is
/// imported here. A failing call returns -1 and leaves errno in <see cref="Marshal.GetLastPInvokeError"/>, which
/// <see cref="Errno"/> reads.
/// </remarks>
internal static unsafe partial class LibC
{
    /// <summary>The page size of x86-64, in bytes.</summary>
    public const int PageSize = 4096;

    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;
    public const int EPOLL_CLOEXEC = 0x80000;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const uint EPOLLIN = 1;
    public const uint MFD_CLOEXEC = 1;
    public const uint MFD_ALLOW_SEALING = 2;
    public const uint MFD_HUGETLB = 4;
    public const int MADV_DONTFORK = 10;
    public const int MADV_HUGEPAGE = 14;
    public const int MADV_DONTDUMP = 16;
    public const int F_GETFD = 1;
    public const int F_ADD_SEALS = 1033;
    public const int F_GET_SEALS = 1034;
    public const int F_SEAL_SEAL = 1;
    public const int F_SEAL_SHRINK = 2;
    public const int F_SEAL_GROW = 4;
    public const int FD_CLOEXEC = 1;
    public const short POLLIN = 1;
    public const int PR_SET_TIMERSLACK = 29;
    public const int SIG_BLOCK = 0;
    public const int SIG_SETMASK = 2;

    /// <summary>The disposition that ignores a signal.</summary>
    public const nint SIG_IGN = 1;

    /// <summary>The disposition that leaves a signal to the kernel.</summary>
    public const nint SIG_DFL = 0;

    private const string Library = "libc";

    /// <summary>errno of the last call that returned -1; to be read on the very next line.</summary>
    public static int Errno => Marshal.GetLastPInvokeError();

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, nint argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, void* argument);

    /// <summary>
    /// ioctl for the path that runs a guest: errno is not captured, so that a successful call pays nothing for it. After
    /// -1 the very next statement reads <see cref="Marshal.GetLastSystemError"/>.
    /// </summary>
    [LibraryImport(Library, EntryPoint = "ioctl")]
    public static partial int ioctl_uncaptured(int fd, nuint request, nint argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint pread(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ftruncate(int fd, long length);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int eventfd(uint initialValue, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_create1(int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_ctl(int set, int operation, int fd, EpollEvent* wanted);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_wait(int set, EpollEvent* events, int count, int milliseconds);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int mlock(void* address, nuint length);

    [LibraryImport(Library)]
    public static partial int getpid();

    [LibraryImport(Library)]
    public static partial int gettid();

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ppoll(PollFd* descriptors, nuint count, TimeSpec* timeout, SignalSet* mask);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    /// <summary>Sends a signal to one thread of a process.</summary>
    [LibraryImport(Library, SetLastError = true)]
    public static partial int tgkill(int processId, int threadId, int signal);

    /// <summary>Changes the calling thread's signal mask; returns errno itself, not -1.</summary>
    [LibraryImport(Library)]
    public static partial int pthread_sigmask(int how, SignalSet* set, SignalSet* previous);

    /// <summary>Takes a pending signal of the set without running a handler; -1 and EAGAIN when none is pending.</summary>
    [LibraryImport(Library, SetLastError = true)]
    public static partial int sigtimedwait(SignalSet* set, void* info, TimeSpec* timeout);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int sigaction(int signal, SignalAction* action, SignalAction* previous);
}
