// SPDX-License-Identifier: BSD-2-Clause

using Mono.Unix.Native;

namespace Vmm.Kvm.Interop;

/// <content>The calls that Mono.Posix has; no other file names that library.</content>
internal static unsafe partial class LibC
{
    /// <summary>Opens a file for reading and writing, closed on exec; -1 on failure.</summary>
    public static int open_rdwr(string path) => Syscall.open(path, OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC);

    /// <summary>Type, permissions, owner and group of a file, links followed; -1 on failure.</summary>
    public static int stat(string path, out uint mode, out uint owner, out uint group)
    {
        int result = Syscall.stat(path, out Stat status);
        (mode, owner, group) = ((uint)status.st_mode, status.st_uid, status.st_gid);
        return result;
    }

    /// <summary>Maps a descriptor shared, readable and writable; null on failure.</summary>
    public static void* mmap_shared(nuint length, int fd, long offset) =>
        Checked(Syscall.mmap(
            nint.Zero,
            length,
            MmapProts.PROT_READ | MmapProts.PROT_WRITE,
            MmapFlags.MAP_SHARED,
            fd,
            offset));

    /// <summary>Maps private zeroed memory, readable and writable, without reserving swap; null on failure.</summary>
    public static void* mmap_anonymous(nuint length) =>
        Checked(Syscall.mmap(
            nint.Zero,
            length,
            MmapProts.PROT_READ | MmapProts.PROT_WRITE,
            MmapFlags.MAP_PRIVATE | MmapFlags.MAP_ANONYMOUS | MmapFlags.MAP_NORESERVE,
            -1,
            0));

    /// <summary>Removes a mapping; -1 on failure.</summary>
    public static int munmap(void* address, nuint length) => Syscall.munmap((nint)address, length);

    /// <summary>Maps a page with machine code, executable and not writable; null where the host does not permit it. It stays mapped.</summary>
    public static void* MapCode(ReadOnlySpan<byte> code)
    {
        void* page = mmap_anonymous((nuint)PageSize);
        if (page == null)
        {
            return null;
        }

        code.CopyTo(new Span<byte>(page, code.Length));
        if (Syscall.mprotect((nint)page, PageSize, MmapProts.PROT_READ | MmapProts.PROT_EXEC) == 0)
        {
            return page;
        }

        _ = munmap(page, (nuint)PageSize);
        return null;
    }

    /// <summary>Makes a mapped range readable, and writable or not; -1 on failure.</summary>
    public static int mprotect(void* address, nuint length, bool writable) =>
        Syscall.mprotect(
            (nint)address,
            length,
            writable ? MmapProts.PROT_READ | MmapProts.PROT_WRITE : MmapProts.PROT_READ);

    /// <summary>The symbolic name of an error number, such as <c>EINVAL</c>; the number itself if it has none.</summary>
    public static string ErrnoName(int errno) =>
        NativeConvert.TryToErrno(errno, out Errno value)
            ? value.ToString()
            : errno.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What an error number means, in the C library's words.</summary>
    public static string ErrnoText(int errno) =>
        NativeConvert.TryToErrno(errno, out Errno value) ? Stdlib.strerror(value) : "unknown error";

    private static void* Checked(nint address) => address == Syscall.MAP_FAILED ? null : (void*)address;
}
