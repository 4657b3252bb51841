// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;

namespace Vmm.Software.Interop;

/// <summary>
/// Memory of the host for a guest: zeroed, committed as it is touched. Unmapped once, when the handle is disposed or dropped.
/// </summary>
/// <remarks>
/// A page before it and one behind it cannot be accessed: an access that the bounds checks have let slip would end the process there, and
/// not reach what is the process's.
/// </remarks>
internal sealed unsafe class HostMemory : SafeHandle
{
    private HostMemory(nint address, nuint length, int memfd)
        : base(0, ownsHandle: true)
    {
        Length = length;
        Memfd = memfd;
        SetHandle(address);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Bytes.</summary>
    public nuint Length { get; }

    /// <summary>Where it lies in the process.</summary>
    public nint Address => handle;

    private int Memfd { get; }

    /// <summary>The byte at an address of the process.</summary>
    /// <param name="address">An address within guest memory that stays mapped while the reference is used.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref byte At(nint address)
    {
        // SAFETY: the caller took the address from a mapping that its placement holds.
        return ref *(byte*)address;
    }

    /// <summary>Maps memory.</summary>
    /// <param name="length">Bytes, a page multiple and not zero.</param>
    /// <param name="options">How.</param>
    /// <exception cref="VmmException">What the host refuses.</exception>
    public static HostMemory Map(ulong length, in GuestMemoryOptions options)
    {
        int memfd = options.FileBacked ? CreateFile(options.Name, length) : -1;
        nint address = MapGuarded((nuint)length, memfd);
        if (address == 0)
        {
            Close(memfd);
            throw new VmmException(
                "mmap (guest memory)", VmmError.ENOMEM, "the address space, or a limit such as RLIMIT_AS or vm.max_map_count, is used up");
        }

        HostMemory memory = new(address, (nuint)length, memfd);
        try
        {
            if (options.HugePages && LibC.madvise(address, (nuint)length, LibC.MADV_HUGEPAGE) != 0)
            {
                throw new VmmException("madvise (MADV_HUGEPAGE)", LibC.Errno, "this kernel has no transparent huge pages");
            }

            if (options.Wired)
            {
                memory.Lock(0, length);
            }
        }
        catch (VmmException)
        {
            memory.Dispose();
            throw;
        }

        return memory;
    }

    /// <summary>A part of the memory. The caller holds the memory as long as it uses the span.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes; the range lies within the memory.</param>
    public Span<byte> Slice(ulong offset, int length)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);

        // SAFETY: the block has checked the range against its length, which is this memory's.
        return new Span<byte>((byte*)handle + offset, length);
    }

    /// <summary>Brings pages in and keeps them in.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes; the range lies within the memory.</param>
    /// <exception cref="VmmException">The host does not keep so much in.</exception>
    public void Lock(ulong offset, ulong length)
    {
        if (LibC.mlock(handle + (nint)offset, (nuint)length) != 0)
        {
            throw new VmmException(
                "mlock (wired guest memory)",
                LibC.Errno,
                $"raise RLIMIT_MEMLOCK (ulimit -l) to at least {length / 1024} KiB more, or grant CAP_IPC_LOCK");
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        bool unmapped = LibC.munmap(handle - LibC.PageSize, Guarded(Length)) == 0;
        Close(Memfd);
        return unmapped;
    }

    private static nuint Guarded(nuint length) => length + (2 * LibC.PageSize);

    private static nint MapGuarded(nuint length, int memfd)
    {
        nint whole = LibC.mmap_inaccessible(Guarded(length));
        if (whole == 0)
        {
            return 0;
        }

        nint inner = whole + LibC.PageSize;
        nint address = memfd < 0 ? LibC.mmap_anonymous_at(inner, length) : LibC.mmap_shared_at(inner, length, memfd);
        if (address == 0)
        {
            _ = LibC.munmap(whole, Guarded(length));
        }

        return address;
    }

    private static int CreateFile(string name, ulong length)
    {
        int memfd = LibC.memfd_create($"vmm:{name}", LibC.MFD_CLOEXEC);
        if (memfd < 0)
        {
            throw new VmmException("memfd_create", LibC.Errno, "the host gives no memory file");
        }

        if (LibC.ftruncate(memfd, (long)length) != 0)
        {
            VmmError error = LibC.Errno;
            Close(memfd);
            throw new VmmException("ftruncate (guest memory)", error, $"the memory file cannot have {length} bytes");
        }

        return memfd;
    }

    private static void Close(int memfd)
    {
        if (memfd >= 0)
        {
            _ = LibC.close(memfd);
        }
    }
}
