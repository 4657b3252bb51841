// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Mono.Unix.Native;
using Vmm.Abstractions.Errors;

[assembly: System.Runtime.CompilerServices.DisableRuntimeMarshalling]

namespace Vmm.Software.Interop;

/// <summary>The C library, under its own names: every call of this assembly to the host. What Mono.Posix has comes from there.</summary>
internal static unsafe partial class LibC
{
    /// <summary>The page size of x86-64, in bytes.</summary>
    public const int PageSize = 4096;

    /// <summary>The descriptor is closed on exec.</summary>
    public const uint MFD_CLOEXEC = 1;

    /// <summary>Transparent huge pages are welcome.</summary>
    public const int MADV_HUGEPAGE = 14;

    /// <summary>The descriptor of an eventfd is closed on exec.</summary>
    public const int EFD_CLOEXEC = 0x80000;

    /// <summary>Reading an eventfd without a count does not wait.</summary>
    public const int EFD_NONBLOCK = 0x800;

    /// <summary>The descriptor of an epoll set is closed on exec.</summary>
    public const int EPOLL_CLOEXEC = 0x80000;

    /// <summary>Adds a descriptor to an epoll set.</summary>
    public const int EPOLL_CTL_ADD = 1;

    /// <summary>Takes a descriptor out of an epoll set.</summary>
    public const int EPOLL_CTL_DEL = 2;

    /// <summary>There is something to read, to epoll.</summary>
    public const uint EPOLLIN = 1;

    /// <summary>There is something to read, to poll.</summary>
    public const short POLLIN = 1;

    /// <summary>How late the thread may be woken, in nanoseconds.</summary>
    public const int PR_SET_TIMERSLACK = 29;

    private const string Library = "libc";

    /// <summary>errno of the last imported call that returned -1; to be read on the very next line.</summary>
    public static VmmError Errno => (VmmError)Marshal.GetLastPInvokeError();

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int memfd_create(string name, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ftruncate(int fd, long length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int eventfd(uint initialValue, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_create1(int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_ctl(int set, int operation, int fd, EventDescriptors.EpollEvent* wanted);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int epoll_wait(int set, EventDescriptors.EpollEvent* events, int count, int milliseconds);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int madvise(nint address, nuint length, int advice);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ppoll(PollFd* descriptors, nuint count, TimeSpec* limit, void* mask);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int prctl(int option, nuint second, nuint third, nuint fourth, nuint fifth);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int mlock(nint address, nuint length);

    /// <summary>Maps private zeroed memory, readable and writable, without reserving swap; 0 on failure.</summary>
    public static nint mmap_anonymous(nuint length) => Mapped(Syscall.mmap(
        nint.Zero,
        length,
        MmapProts.PROT_READ | MmapProts.PROT_WRITE,
        MmapFlags.MAP_PRIVATE | MmapFlags.MAP_ANONYMOUS | MmapFlags.MAP_NORESERVE,
        -1,
        0));

    /// <summary>Maps addresses that nothing can access; 0 on failure.</summary>
    public static nint mmap_inaccessible(nuint length) => Mapped(Syscall.mmap(
        nint.Zero, length, MmapProts.PROT_NONE, MmapFlags.MAP_PRIVATE | MmapFlags.MAP_ANONYMOUS | MmapFlags.MAP_NORESERVE, -1, 0));

    /// <summary>Maps private zeroed memory as <see cref="mmap_anonymous"/>, in place of what is mapped there; 0 on failure.</summary>
    public static nint mmap_anonymous_at(nint address, nuint length) => Mapped(Syscall.mmap(
        address,
        length,
        MmapProts.PROT_READ | MmapProts.PROT_WRITE,
        MmapFlags.MAP_PRIVATE | MmapFlags.MAP_ANONYMOUS | MmapFlags.MAP_NORESERVE | MmapFlags.MAP_FIXED,
        -1,
        0));

    /// <summary>Maps a descriptor shared, readable and writable, in place of what is mapped there; 0 on failure.</summary>
    public static nint mmap_shared_at(nint address, nuint length, int fd) => Mapped(Syscall.mmap(
        address, length, MmapProts.PROT_READ | MmapProts.PROT_WRITE, MmapFlags.MAP_SHARED | MmapFlags.MAP_FIXED, fd, 0));

    /// <summary>Removes a mapping; -1 on failure.</summary>
    public static int munmap(nint address, nuint length) => Syscall.munmap(address, length);

    /// <summary>Makes a mapped page executable and not writable; -1 on failure.</summary>
    public static int mprotect_code(nint address) =>
        Syscall.mprotect(address, PageSize, MmapProts.PROT_READ | MmapProts.PROT_EXEC);

    private static nint Mapped(nint address) => address == Syscall.MAP_FAILED ? 0 : address;
}
