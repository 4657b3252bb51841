// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Engine.State;

/// <summary>The class VERSION: what can be transferred of a VM, 8 bytes each: class, version, whole length, length of an element.</summary>
internal sealed class VersionData(VmmDataVersionEntry entry, IReadOnlyCollection<VmmDataVersionEntry> present) : IVmmDataSource
{
    private const int ElementLength = 8;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = entry;

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        int length = present.Count * ElementLength;
        if (request.Data.Length < length)
        {
            return new VmmDataResult(VmmError.ENOSPC, (uint)length);
        }

        Span<byte> rest = request.Data;
        foreach (VmmDataVersionEntry item in present)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(rest, (ushort)item.DataClass);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], item.Version);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[4..], item.ExpectedLength);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[6..], item.ItemLength);
            rest = rest[ElementLength..];
        }

        return new VmmDataResult(VmmError.None, (uint)length);
    }

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request) => new(VmmError.EPERM, 0);
}
