// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>
/// Host memory for a guest: zeroed, readable and writable. It is unmapped once, when its handle is disposed or dropped and
/// no memory slot refers to it.
/// </summary>
internal sealed unsafe class MemoryMapping : MappedRegion
{
    private MemoryMapping(void* address, nuint length, Descriptor? memfd)
        : base(address, length)
    {
        Memfd = memfd;
    }

    /// <summary>The memfd behind the memory, for sharing; null for anonymous memory. It is closed with the mapping.</summary>
    public Descriptor? Memfd { get; }

    /// <summary>Maps memory.</summary>
    /// <param name="length">Bytes, a page multiple and not zero.</param>
    /// <param name="options">How; anonymous pages by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is zero, not in pages, or beyond the address space.</exception>
    /// <exception cref="VmmException">The host refused, with what to do about it.</exception>
    public static MemoryMapping Create(ulong length, MemoryMappingOptions? options = null)
    {
        options ??= MemoryMappingOptions.Default;
        ArgumentOutOfRangeException.ThrowIfZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, (ulong)long.MaxValue);
        ArgumentOutOfRangeException.ThrowIfNotEqual(length % LibC.PageSize, 0UL, nameof(length));

        Descriptor? memfd = options.MemfdName is { } name ? CreateMemfd(name, length, options) : null;
        void* address = memfd is null
            ? LibC.mmap_anonymous((nuint)length)
            : LibC.mmap_shared((nuint)length, memfd.Number, 0);
        if (address == null)
        {
            int errno = LibC.Errno;
            memfd?.Dispose();
            throw KvmThrow.Host("mmap (guest memory)", errno, MapHint(errno, options));
        }

        MemoryMapping mapping = new(address, (nuint)length, memfd);
        try
        {
            mapping.Advise(options);
        }
        catch (VmmException)
        {
            mapping.Dispose();
            throw;
        }

        return mapping;
    }

    /// <summary>A part of the memory. The caller holds the mapping as long as it uses the span.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">The length in bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not inside.</exception>
    /// <exception cref="ObjectDisposedException">The mapping is closed.</exception>
    public Span<byte> Slice(ulong offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        CheckRange(offset, (ulong)length);
        ObjectDisposedException.ThrowIf(IsClosed, this);

        // SAFETY: inside the mapping, which the caller holds.
        return new Span<byte>(Pointer + offset, length);
    }

    /// <summary>Populates and locks a part of the memory, so that the host never pages it out.</summary>
    /// <param name="offset">The first byte, a page multiple.</param>
    /// <param name="length">The length in bytes, a page multiple.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not inside.</exception>
    /// <exception cref="VmmException">The host does not lock so much, with what to do about it.</exception>
    public void Lock(ulong offset, ulong length)
    {
        CheckRange(offset, length);

        // mlock populates by itself; it reports a missing permission before it has touched a page.
        if (LibC.mlock(Pointer + offset, (nuint)length) != 0)
        {
            int errno = LibC.Errno;
            throw KvmThrow.Host(
                "mlock (wired guest memory)",
                errno,
                (VmmError)errno is VmmError.ENOMEM or VmmError.EPERM or VmmError.EAGAIN
                    ? $"raise RLIMIT_MEMLOCK (ulimit -l) to at least {length / 1024} KiB more, or grant CAP_IPC_LOCK"
                    : null);
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        bool unmapped = base.ReleaseHandle();
        Memfd?.Dispose();
        return unmapped;
    }

    private static Descriptor CreateMemfd(string name, ulong length, MemoryMappingOptions options)
    {
        uint flags = LibC.MFD_CLOEXEC
            | (options.SealSize ? LibC.MFD_ALLOW_SEALING : 0)
            | (options.ReservedHugePages ? LibC.MFD_HUGETLB : 0);
        int fd = LibC.memfd_create(name, flags);
        if (fd < 0)
        {
            throw KvmThrow.Host("memfd_create", LibC.Errno);
        }

        Descriptor memfd = new(fd);
        if (LibC.ftruncate(fd, (long)length) != 0)
        {
            int errno = LibC.Errno;
            memfd.Dispose();
            throw KvmThrow.Host("ftruncate (guest memory)", errno);
        }

        const int Seals = LibC.F_SEAL_GROW | LibC.F_SEAL_SHRINK | LibC.F_SEAL_SEAL;
        if (options.SealSize && LibC.fcntl(fd, LibC.F_ADD_SEALS, Seals) != 0)
        {
            int errno = LibC.Errno;
            memfd.Dispose();
            throw KvmThrow.Host("fcntl (F_ADD_SEALS)", errno);
        }

        return memfd;
    }

    private static string? MapHint(int errno, MemoryMappingOptions options) => (VmmError)errno switch
    {
        VmmError.ENOMEM when options.ReservedHugePages =>
            "the pool of huge pages is too small; raise vm.nr_hugepages",
        VmmError.ENOMEM => "the address space, or a limit such as RLIMIT_AS or vm.max_map_count, is used up",
        VmmError.EINVAL when options.ReservedHugePages => "the length must be a multiple of the huge page size",
        _ => null,
    };

    private void Advise(MemoryMappingOptions options)
    {
        if (options.HugePageAdvice)
        {
            Advise(LibC.MADV_HUGEPAGE, "madvise (MADV_HUGEPAGE)", "this kernel has no transparent huge pages");
        }

        if (options.NotInChildren)
        {
            Advise(LibC.MADV_DONTFORK, "madvise (MADV_DONTFORK)", null);
        }

        if (options.NotInCoreDumps)
        {
            Advise(LibC.MADV_DONTDUMP, "madvise (MADV_DONTDUMP)", null);
        }

        if (options.Wired)
        {
            Lock(0, Length);
        }
    }

    private void Advise(int advice, string operation, string? hint)
    {
        if (LibC.madvise(Pointer, (nuint)Length, advice) != 0)
        {
            throw KvmThrow.Host(operation, LibC.Errno, hint);
        }
    }
}
