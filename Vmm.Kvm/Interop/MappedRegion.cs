// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>A mapped host range that is unmapped exactly once, after the last user has let go of it.</summary>
internal abstract unsafe class MappedRegion : SafeHandle
{
    /// <summary>Takes a mapping over.</summary>
    /// <param name="address">Its first byte.</param>
    /// <param name="length">Its length in bytes.</param>
    private protected MappedRegion(void* address, nuint length)
        : base(nint.Zero, ownsHandle: true)
    {
        SetHandle((nint)address);
        Length = length;
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == nint.Zero;

    /// <summary>The length in bytes.</summary>
    public ulong Length { get; }

    /// <summary>The host address of the first byte, for a memory slot; meaningless once the mapping is released.</summary>
    public ulong Address => (ulong)handle;

    /// <summary>The first byte.</summary>
    private protected byte* Pointer => (byte*)handle;

    /// <summary>Refuses a range that is not inside the mapping.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">The length in bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not inside.</exception>
    public void CheckRange(ulong offset, ulong length)
    {
        if (offset > Length || length > Length - offset)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset),
                $"{length} bytes at 0x{offset:x} are not inside a mapping of 0x{Length:x} bytes");
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => LibC.munmap(Pointer, (nuint)Length) == 0;
}
