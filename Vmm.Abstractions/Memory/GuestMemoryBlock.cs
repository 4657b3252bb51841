// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>
/// Host memory that backs a memory segment (<c>struct vm_object</c>): a fixed length, zero when new, freed when the last
/// reference goes.
/// </summary>
/// <remarks>
/// The creator holds the first reference and gives it back with <see cref="Dispose()"/>. Mappings and holds take further
/// ones, so that memory is never pulled from under a live mapping or span. All members may be called from any thread.
/// </remarks>
[VmmKernelSymbol("vm_object")]
public abstract class GuestMemoryBlock : IDisposable
{
    private int _references = 1;
    private int _disposed;

    /// <summary>Records the length.</summary>
    /// <param name="length">Bytes in the block, a positive multiple of 4096.</param>
    protected GuestMemoryBlock(ulong length)
    {
        Length = length;
    }

    /// <summary>Bytes in the block.</summary>
    public ulong Length { get; }

    /// <summary>Takes a reference, unless the block is being freed.</summary>
    /// <returns><see langword="false"/> when the last reference is already gone.</returns>
    public bool TryAddReference()
    {
        int seen = Volatile.Read(ref _references);
        while (seen > 0)
        {
            int before = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }

    /// <summary>Gives back a reference taken by <see cref="TryAddReference"/>; the last one frees the memory.</summary>
    public void ReleaseReference()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            Free();
        }
    }

    /// <summary>The bytes at an offset. The caller holds a reference as long as it uses the span.</summary>
    /// <param name="offset">The first byte, from the block's start.</param>
    /// <param name="length">Bytes wanted, 0 or more.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not within the block.</exception>
    public Span<byte> GetSpan(ulong offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (offset > Length || (ulong)length > Length - offset)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), $"{length} bytes at 0x{offset:x} are not within a block of 0x{Length:x} bytes");
        }

        return GetSpanUnchecked(offset, length);
    }

    /// <summary>Brings pages in and keeps them in.</summary>
    /// <param name="offset">The first byte, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, within the block.</param>
    /// <exception cref="Errors.VmmException">What the host refuses, as ENOMEM, EPERM or EAGAIN; the message says why.</exception>
    public abstract void Wire(ulong offset, ulong length);

    /// <summary>Gives back the creator's reference. Later calls do nothing.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back the creator's reference once.</summary>
    /// <param name="disposing">Whether a caller, and not the finalizer, asked.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            ReleaseReference();
        }
    }

    /// <summary>The bytes of a range that has been checked.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">Bytes wanted.</param>
    /// <returns>The bytes.</returns>
    protected abstract Span<byte> GetSpanUnchecked(ulong offset, int length);

    /// <summary>Frees the host memory; called once, by whoever gives back the last reference.</summary>
    protected abstract void Free();
}
