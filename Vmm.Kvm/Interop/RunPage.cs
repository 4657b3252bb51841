// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// A vCPU's run mapping: <c>kvm_run</c>, behind it the data of string port accesses and the ring of coalesced writes.
/// </summary>
/// <remarks>
/// References and spans into the page are valid while the vCPU's handle is held open, which a run session does. Only the
/// thread that runs the vCPU may use them, except for <see cref="RequestImmediateExit"/>.
/// </remarks>
internal sealed unsafe class RunPage : MappedRegion
{
    private RunPage(void* address, nuint length)
        : base(address, length)
    {
    }

    // SAFETY of the accessors below: the mapping is at least as long as kvm_run (checked when it was made), every window
    // is checked against its length, and a session or a call of the vCPU keeps it mapped.

    /// <summary>The head of the page.</summary>
    public ref KvmRun Run => ref Unsafe.AsRef<KvmRun>(Pointer);

    /// <summary>All the bytes of the mapping.</summary>
    public Span<byte> Bytes => new(Pointer, (int)Length);

    /// <summary>Maps the page of a vCPU.</summary>
    internal static RunPage Map(int vcpuFd, int length)
    {
        // Everything that is read from the page by offset relies on the head being there.
        if (length < Unsafe.SizeOf<KvmRun>())
        {
            throw KvmThrow.Host("KVM_GET_VCPU_MMAP_SIZE", (int)Vmm.Abstractions.Errors.VmmError.EINVAL);
        }

        void* address = LibC.mmap_shared((nuint)length, vcpuFd, 0);
        return address != null
            ? new RunPage(address, (nuint)length)
            : throw KvmThrow.Host("mmap (run page)", LibC.Errno);
    }

    /// <summary>The data of the port exit in the page: <c>size</c> times <c>count</c> bytes.</summary>
    /// <param name="data">The window.</param>
    /// <returns>False when offset and length do not lie inside the mapping, which no correct kernel produces.</returns>
    public bool TryGetIoData(out Span<byte> data)
    {
        ref readonly KvmRunIo io = ref Run.Io;
        ulong offset = io.DataOffset;
        ulong length = (ulong)io.Size * io.Count;
        if (offset > Length || length > Length - offset)
        {
            data = default;
            return false;
        }

        data = new Span<byte>(Pointer + offset, (int)length);
        return true;
    }

    /// <summary>A part of the mapping.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not inside.</exception>
    public Span<byte> Window(int offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        CheckRange((ulong)offset, (ulong)length);
        return new Span<byte>(Pointer + offset, length);
    }

    /// <summary>Makes the next or current entry return at once with EINTR. From any thread that holds the vCPU open.</summary>
    public void RequestImmediateExit() => Volatile.Write(ref Run.ImmediateExit, 1);

    /// <summary>Takes the request back. Only from the thread that runs the vCPU.</summary>
    public void ClearImmediateExit() => Volatile.Write(ref Run.ImmediateExit, 0);

    /// <summary>The ring of coalesced writes, which all vCPUs of a VM share.</summary>
    /// <param name="pageOffset">What KVM_CHECK_EXTENSION answers for KVM_CAP_COALESCED_MMIO: the ring's page.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page is not inside the mapping.</exception>
    public CoalescedRing CoalescedRing(int pageOffset)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageOffset, 1);
        CheckRange((ulong)pageOffset * LibC.PageSize, LibC.PageSize);
        return new CoalescedRing(this, pageOffset * LibC.PageSize);
    }
}
