// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Errors;

/// <summary>
/// The error of a refused operation, by its POSIX name. The numbers are Linux's for x86-64; bhyve's own numbers differ
/// for some names, so errors are compared by name and never by number.
/// </summary>
public enum VmmError
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Operation not permitted.</summary>
    EPERM = 1,

    /// <summary>No such object, capability or feature.</summary>
    ENOENT = 2,

    /// <summary>Nobody claims the address or port.</summary>
    ESRCH = 3,

    /// <summary>Interrupted.</summary>
    EINTR = 4,

    /// <summary>Input or output error.</summary>
    EIO = 5,

    /// <summary>No such device, or the object is being destroyed.</summary>
    ENXIO = 6,

    /// <summary>The argument list, or the caller's table, is too small or too large.</summary>
    E2BIG = 7,

    /// <summary>Bad file descriptor.</summary>
    EBADF = 9,

    /// <summary>Try again.</summary>
    EAGAIN = 11,

    /// <summary>Out of memory.</summary>
    ENOMEM = 12,

    /// <summary>Permission denied.</summary>
    EACCES = 13,

    /// <summary>Bad address: not guest memory, or not accessible in the wanted way.</summary>
    EFAULT = 14,

    /// <summary>Busy.</summary>
    EBUSY = 16,

    /// <summary>Exists already.</summary>
    EEXIST = 17,

    /// <summary>No such device.</summary>
    ENODEV = 19,

    /// <summary>Invalid argument.</summary>
    EINVAL = 22,

    /// <summary>Too many open files in the system.</summary>
    ENFILE = 23,

    /// <summary>Too many open files in the process.</summary>
    EMFILE = 24,

    /// <summary>The request is not one of this descriptor's.</summary>
    ENOTTY = 25,

    /// <summary>Too large.</summary>
    EFBIG = 27,

    /// <summary>No space, or no free slot.</summary>
    ENOSPC = 28,

    /// <summary>Read-only.</summary>
    EROFS = 30,

    /// <summary>Out of range.</summary>
    ERANGE = 34,

    /// <summary>Name too long.</summary>
    ENAMETOOLONG = 36,

    /// <summary>Not implemented by this kernel.</summary>
    ENOSYS = 38,

    /// <summary>Not supported.</summary>
    ENOTSUP = 95,

    /// <summary>The address is in use.</summary>
    EADDRINUSE = 98,

    /// <summary>Timed out.</summary>
    ETIMEDOUT = 110,

    /// <summary>Already in the wanted state.</summary>
    EALREADY = 114,

    /// <summary>The page is poisoned by a hardware memory error.</summary>
    EHWPOISON = 133,
}
