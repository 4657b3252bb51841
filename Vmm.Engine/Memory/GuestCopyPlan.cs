// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>Page-bounded pieces of guest memory, each held until the plan is disposed.</summary>
internal sealed class GuestCopyPlan(GuestAddressSpace space, List<GuestCopyChunk> chunks, int length) : IGuestCopyPlan
{
    private bool _disposed;

    /// <inheritdoc/>
    public IReadOnlyList<GuestCopyChunk> Chunks => chunks;

    /// <inheritdoc/>
    public void CopyIn(Span<byte> destination)
    {
        Check(destination.Length, MemoryProtection.Read);
        foreach (GuestCopyChunk chunk in chunks)
        {
            chunk.Block.GetSpan(chunk.BlockOffset, chunk.Length).CopyTo(destination);
            destination = destination[chunk.Length..];
        }
    }

    /// <inheritdoc/>
    public void CopyOut(ReadOnlySpan<byte> source)
    {
        Check(source.Length, MemoryProtection.Write);
        foreach (GuestCopyChunk chunk in chunks)
        {
            source[..chunk.Length].CopyTo(chunk.Block.GetSpan(chunk.BlockOffset, chunk.Length));
            source = source[chunk.Length..];
            space.Written(chunk.Address, chunk.Length);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            foreach (GuestCopyChunk chunk in chunks)
            {
                if ((chunk.Access & MemoryProtection.Write) != 0)
                {
                    space.Written(chunk.Address, chunk.Length);
                }

                chunk.Block.ReleaseReference();
            }
        }
    }

    private void Check(int bytes, MemoryProtection access)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes, length);
        if ((chunks[0].Access & access) == 0)
        {
            throw new InvalidOperationException($"the plan was made for {chunks[0].Access}, not for {access}");
        }
    }
}
