// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>An eventfd: a 64-bit counter that one side adds to and the other takes. Safe from any thread.</summary>
internal sealed class EventFd : Descriptor
{
    private EventFd(int fd)
        : base(fd)
    {
    }

    /// <summary>Creates a counter at zero, closed on exec and not blocking.</summary>
    public static EventFd Create()
    {
        int fd = LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        return fd >= 0 ? new EventFd(fd) : throw KvmThrow.Host("eventfd", LibC.Errno);
    }

    /// <summary>Adds to the counter of an eventfd, whoever has made it.</summary>
    public static unsafe void Signal(SafeHandle descriptor, ulong count = 1)
    {
        using DescriptorUse use = new(descriptor);

        // SAFETY: eight bytes of a parameter on this stack.
        if (LibC.write(use.Number, &count, sizeof(ulong)) != sizeof(ulong))
        {
            throw KvmThrow.Host("write (eventfd)", LibC.Errno);
        }
    }

    /// <summary>Takes the counter of an eventfd and sets it to zero.</summary>
    /// <returns>What it was; zero if nobody signalled.</returns>
    public static unsafe ulong Take(SafeHandle descriptor)
    {
        using DescriptorUse use = new(descriptor);
        ulong count = 0;

        // SAFETY: eight bytes of a local on this stack.
        if (LibC.read(use.Number, &count, sizeof(ulong)) == sizeof(ulong))
        {
            return count;
        }

        int errno = LibC.Errno;
        return errno == (int)VmmError.EAGAIN ? 0UL : throw KvmThrow.Host("read (eventfd)", errno);
    }

    /// <summary>Adds to the counter.</summary>
    public void Signal(ulong count = 1) => Signal(this, count);

    /// <summary>Takes the counter and sets it to zero.</summary>
    /// <returns>What it was; zero if nobody signalled.</returns>
    public ulong Take() => Take(this);
}
