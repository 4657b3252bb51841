// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>
/// A hold on guest memory (<c>struct vm_client</c>'s held page): its bytes stay in place until it is disposed.
/// </summary>
/// <remarks>The type lives on the stack only, so that no span outlives the memory under it.</remarks>
[VmmKernelSymbol("vm_client")]
public readonly ref struct GuestMemoryHold
{
    private readonly GuestMemoryBlock? _block;
    private readonly IWriteObserver? _observer;
    private readonly ulong _position;

    /// <summary>Wraps bytes of a block whose reference the caller has taken.</summary>
    /// <param name="block">The block; released once when the hold is disposed.</param>
    /// <param name="bytes">The held bytes.</param>
    public GuestMemoryHold(GuestMemoryBlock block, Span<byte> bytes)
        : this(block, bytes, null, 0)
    {
    }

    /// <summary>Wraps bytes that the holder may write: an observer is told now and at the end, so that no write escapes it.</summary>
    /// <param name="block">The block; released once when the hold is disposed.</param>
    /// <param name="bytes">The held bytes.</param>
    /// <param name="observer">Is told of the writes; nobody when null.</param>
    /// <param name="position">Where the first byte is for the observer.</param>
    public GuestMemoryHold(GuestMemoryBlock block, Span<byte> bytes, IWriteObserver? observer, ulong position)
    {
        ArgumentNullException.ThrowIfNull(block);
        _block = block;
        _observer = observer;
        _position = position;
        Bytes = bytes;
        observer?.Written(position, bytes.Length);
    }

    /// <summary>The held bytes; empty for a default value. Not to be used after <see cref="Dispose"/>.</summary>
    public Span<byte> Bytes { get; }

    /// <summary>Ends the hold. To be called once.</summary>
    public void Dispose()
    {
        _observer?.Written(_position, Bytes.Length);
        _block?.ReleaseReference();
    }
}
