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

    /// <summary>Wraps bytes of a block whose reference the caller has taken.</summary>
    /// <param name="block">The block; released once when the hold is disposed.</param>
    /// <param name="bytes">The held bytes.</param>
    public GuestMemoryHold(GuestMemoryBlock block, Span<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(block);
        _block = block;
        Bytes = bytes;
    }

    /// <summary>The held bytes; empty for a default value. Not to be used after <see cref="Dispose"/>.</summary>
    public Span<byte> Bytes { get; }

    /// <summary>Ends the hold. To be called once.</summary>
    public void Dispose() => _block?.ReleaseReference();
}
