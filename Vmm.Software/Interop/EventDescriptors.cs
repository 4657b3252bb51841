// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;

namespace Vmm.Software.Interop;

/// <summary>The host's eventfds, and a wait for many of them by epoll(7).</summary>
internal static unsafe class EventDescriptors
{
    /// <summary>Makes a counter at zero, closed on exec and not blocking.</summary>
    public static SafeHandle Create()
    {
        int fd = LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        return fd >= 0 ? new OwnedDescriptor(fd) : throw Refused("eventfd");
    }

    /// <summary>Adds one to a counter.</summary>
    public static void Signal(SafeHandle descriptor)
    {
        using Use use = new(descriptor);
        ulong one = 1;

        // SAFETY: eight bytes of a local on this stack.
        if (LibC.write(use.Number, &one, sizeof(ulong)) != sizeof(ulong))
        {
            throw Refused("write (eventfd)");
        }
    }

    /// <summary>Takes a counter and sets it to zero.</summary>
    public static ulong Take(SafeHandle descriptor)
    {
        using Use use = new(descriptor);
        ulong count = 0;

        // SAFETY: eight bytes of a local on this stack.
        if (LibC.read(use.Number, &count, sizeof(ulong)) == sizeof(ulong))
        {
            return count;
        }

        return LibC.Errno == VmmError.EAGAIN ? 0UL : throw Refused("read (eventfd)");
    }

    private static VmmException Refused(string call)
    {
        VmmError error = LibC.Errno;
        return new VmmException(call, error, $"the host answers {error}");
    }

    /// <summary>A wait by epoll(7), level-triggered: an event that nobody takes is named again.</summary>
    internal sealed class Wait : IEventWait
    {
        private const int MostAtOnce = 64;

        private readonly OwnedDescriptor _set;

        public Wait()
        {
            int fd = LibC.epoll_create1(LibC.EPOLL_CLOEXEC);
            _set = fd >= 0 ? new OwnedDescriptor(fd) : throw Refused("epoll_create1");
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
        int IEventWait.Wait(Span<int> keys)
        {
            using Use use = new(_set);
            EpollEvent* events = stackalloc EpollEvent[MostAtOnce];

            // SAFETY: the array is on this stack and has as many elements as the call is told, or more.
            int count = LibC.epoll_wait(use.Number, events, Math.Min(keys.Length, MostAtOnce), -1);
            if (count < 0)
            {
                return LibC.Errno == VmmError.EINTR ? 0 : throw Refused("epoll_wait");
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
            using Use set = new(_set);
            using Use use = new(descriptor);

            // SAFETY: the event is on the caller's stack, or null where the call does not look at it.
            if (LibC.epoll_ctl(set.Number, operation, use.Number, wanted) < 0)
            {
                throw Refused("epoll_ctl");
            }
        }
    }

    /// <summary><c>struct epoll_event</c>, which x86-64 packs.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal struct EpollEvent
    {
        public uint Events;
        public ulong Data;
    }

    private sealed class OwnedDescriptor : SafeHandle
    {
        public OwnedDescriptor(int fd)
            : base(-1, ownsHandle: true)
        {
            SetHandle(fd);
        }

        public override bool IsInvalid => handle < 0;

        protected override bool ReleaseHandle() => LibC.close((int)handle) == 0;
    }

    /// <summary>Keeps a descriptor open while its number is used.</summary>
    internal readonly ref struct Use
    {
        private readonly SafeHandle _descriptor;

        public Use(SafeHandle descriptor)
        {
            bool held = false;
            descriptor.DangerousAddRef(ref held);
            _descriptor = descriptor;
        }

        public int Number => (int)_descriptor.DangerousGetHandle();

        public void Dispose() => _descriptor.DangerousRelease();
    }
}
