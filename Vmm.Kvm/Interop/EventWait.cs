// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>A wait by epoll(7), level-triggered: an event that nobody takes is named again.</summary>
internal sealed unsafe class EventWait : IEventWait
{
    private const int MostAtOnce = 64;

    private readonly Descriptor _set;

    public EventWait()
    {
        int fd = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
        _set = fd >= 0 ? new Descriptor(fd) : throw KvmThrow.Host("epoll_create1", LibC.Errno);
    }

    /// <inheritdoc/>
    public void Add(SafeHandle descriptor, int key)
    {
        EpollEvent wanted = new() { Events = LibC.EPOLLIN, Data = (ulong)key };
        Control(LibC.EPOLL_CTL_ADD, descriptor, &wanted);
    }

    /// <inheritdoc/>
    public void Remove(SafeHandle descriptor) => Control(LibC.EPOLL_CTL_DEL, descriptor, null);

    /// <inheritdoc/>
    public int Wait(Span<int> keys)
    {
        using DescriptorUse use = new(_set);
        EpollEvent* events = stackalloc EpollEvent[MostAtOnce];

        // SAFETY: the array is on this stack and has as many elements as the call is told, or more.
        int count = LibC.epoll_wait(use.Number, events, Math.Min(keys.Length, MostAtOnce), -1);
        if (count < 0)
        {
            int errno = LibC.Errno;
            return errno == (int)VmmError.EINTR ? 0 : throw KvmThrow.Host("epoll_wait", errno);
        }

        for (int index = 0; index < count; index++)
        {
            keys[index] = (int)events[index].Data;
        }

        return count;
    }

    /// <inheritdoc/>
    public void Dispose() => _set.Dispose();

    private void Control(int operation, SafeHandle descriptor, EpollEvent* wanted)
    {
        using DescriptorUse set = new(_set);
        using DescriptorUse use = new(descriptor);

        // SAFETY: the event is on the caller's stack, or null where the call does not look at it.
        if (LibC.epoll_ctl(set.Number, operation, use.Number, wanted) < 0)
        {
            throw KvmThrow.Host("epoll_ctl", LibC.Errno);
        }
    }
}
