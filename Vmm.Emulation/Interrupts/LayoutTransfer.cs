// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Interrupts;

/// <summary>What all transfers of an exchange layout of one fixed length have in common.</summary>
internal static class LayoutTransfer
{
    public static VmmDataVersionEntry Entry(VmmDataClass dataClass, int length) => new(dataClass, 1, (ushort)length, 0);

    /// <summary>Writes a layout into a request that has room for it; ENOSPC and the room it takes otherwise.</summary>
    public static VmmDataResult Read(VmmDataRequest request, int length, Export export)
    {
        if (request.Data.Length < length)
        {
            return TooShort(length);
        }

        export(request.Data);
        return new(VmmError.None, (uint)length);
    }

    /// <summary>Takes a layout from a request that has all of it; ENOSPC otherwise, or what the chip says.</summary>
    public static VmmDataResult Write(VmmDataRequest request, int length, Import import)
    {
        if (request.Data.Length < length)
        {
            return TooShort(length);
        }

        VmmError error = import(request.Data);
        return new(error, error == VmmError.None ? (uint)length : 0);
    }

    private static VmmDataResult TooShort(int length) => new(VmmError.ENOSPC, (uint)length);

    /// <summary>Writes a chip's layout.</summary>
    internal delegate void Export(Span<byte> layout);

    /// <summary>Takes over a layout, or says why not.</summary>
    internal delegate VmmError Import(ReadOnlySpan<byte> layout);
}
