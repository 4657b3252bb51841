// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// A file descriptor that is closed exactly once: on disposal, or by the finalizer of a dropped handle, and in either
/// case only after the last call that uses it has returned.
/// </summary>
/// <remarks>
/// A child holds a reference on its parent from construction to release, so that the parent's descriptor is closed after
/// the child's in every order of disposal and finalization.
/// </remarks>
internal class Descriptor : SafeHandle
{
    private readonly Descriptor? _parent;

    /// <summary>Takes a descriptor over.</summary>
    /// <param name="fd">The open descriptor.</param>
    /// <param name="parent">What must stay open as long as this does.</param>
    public Descriptor(int fd, Descriptor? parent = null)
        : base(-1, ownsHandle: true)
    {
        SetHandle(fd);
        if (parent is not null)
        {
            bool held = false;
            parent.DangerousAddRef(ref held);
            _parent = parent;
        }
    }

    /// <inheritdoc/>
    public override bool IsInvalid => Number < 0;

    /// <summary>The descriptor's number; it means nothing once the handle is closed.</summary>
    public int Number => (int)handle;

    /// <summary>Whether a KVM capability is there, as seen by the nearest descriptor that can be asked; negative if none.</summary>
    /// <param name="capability">The capability.</param>
    private protected virtual int ProbeExtension(KvmCapability capability) =>
        _parent?.ProbeExtension(capability) ?? -1;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        bool closed = LibC.close(Number) == 0;
        _parent?.DangerousRelease();
        return closed;
    }

    /// <summary>Issues a request; negative results are negated error numbers.</summary>
    private protected unsafe int TryIoctl(uint code, void* argument)
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
            int result = LibC.ioctl(Number, code, argument);
            return result >= 0 ? result : -LibC.Errno;
        }
        finally
        {
            if (held)
            {
                DangerousRelease();
            }
        }
    }

    /// <summary>Issues a request with an integer by value; negative results are negated error numbers.</summary>
    private protected unsafe int TryIoctl(in IoctlNone request, nint argument = 0) =>
        TryIoctl(request.Code, (void*)argument);

    /// <summary>Issues a request with an integer by value.</summary>
    private protected int Ioctl(in IoctlNone request, nint argument = 0) =>
        Checked(request.Name, request.Capability, TryIoctl(request, argument));

    /// <summary>Issues a request whose argument the kernel reads.</summary>
    private protected unsafe int Ioctl<T>(in IoctlIn<T> request, in T argument, KvmCapability? needs = null)
        where T : unmanaged
    {
        // SAFETY: the argument is pinned for the call, and the code carries its size.
        fixed (T* pointer = &argument)
        {
            return Checked(request.Name, needs ?? request.Capability, TryIoctl(request.Code, pointer));
        }
    }

    /// <summary>Issues a request whose result the kernel writes.</summary>
    private protected unsafe T Ioctl<T>(in IoctlOut<T> request)
        where T : unmanaged
    {
        T result = default;

        // SAFETY: the local is on this stack for the call, and the code carries its size.
        Checked(request.Name, request.Capability, TryIoctl(request.Code, &result));
        return result;
    }

    /// <summary>Issues a request whose result the kernel writes where the caller wants it.</summary>
    private protected unsafe void Ioctl<T>(in IoctlOut<T> request, out T result)
        where T : unmanaged
    {
        result = default;

        // SAFETY: the result is pinned for the call, and the code carries its size.
        fixed (T* pointer = &result)
        {
            Checked(request.Name, request.Capability, TryIoctl(request.Code, pointer));
        }
    }

    /// <summary>Issues a request whose argument the kernel reads and writes.</summary>
    private protected unsafe int Ioctl<T>(in IoctlInOut<T> request, ref T argument, KvmCapability? needs = null)
        where T : unmanaged
    {
        // SAFETY: the argument is pinned for the call, and the code carries its size.
        fixed (T* pointer = &argument)
        {
            return Checked(request.Name, needs ?? request.Capability, TryIoctl(request.Code, pointer));
        }
    }

    /// <summary>For the shared helpers of this folder: a request with a variable-size argument.</summary>
    /// <remarks>The caller's head must not promise the kernel more than the buffer holds.</remarks>
    internal int TryVariable(uint code, Span<byte> argument) => TryIoctl(code, argument);

    /// <summary>For the shared helpers of this folder: a request with a pointer that stays valid for the call.</summary>
    internal unsafe int TryPointer(uint code, void* argument) => TryIoctl(code, argument);

    /// <summary>For the shared helpers of this folder: the exception for a failed request.</summary>
    internal Exception Refusal(string operation, KvmCapability? capability, int errno) =>
        Failure(operation, capability, errno);

    /// <summary>Issues a request with a variable-size argument; negative results are negated error numbers.</summary>
    /// <remarks>The caller's head must not promise the kernel more than the buffer holds.</remarks>
    private protected unsafe int TryIoctl(uint code, Span<byte> argument)
    {
        // SAFETY: pinned for the call; that the head describes no more than the buffer is the caller's duty.
        fixed (byte* pointer = argument)
        {
            return TryIoctl(code, pointer);
        }
    }

    /// <summary>Turns a negated error number into the exception it stands for.</summary>
    private protected int Checked(string operation, KvmCapability? capability, int result) =>
        result >= 0 ? result : throw Failure(operation, capability, -result);

    /// <summary>The exception for a failed request: the missing capability where that is the reason, else the error.</summary>
    private protected Exception Failure(string operation, KvmCapability? capability, int errno)
    {
        // Asked only after a failure, so that a supported request costs nothing extra.
        bool missing = capability is { } needed && ProbeExtension(needed) == 0;
        return missing ? KvmThrow.Missing(operation, capability!.Value) : KvmThrow.Host(operation, errno);
    }
}
