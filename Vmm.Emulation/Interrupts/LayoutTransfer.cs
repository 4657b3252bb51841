// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Emulation.Interrupts;

/// <summary>What all transfers of an exchange layout of one fixed length have in common.</summary>
internal static class LayoutTransfer
{
    public static VmmDataVersionEntry Entry(VmmDataClass dataClass, int length) => new(dataClass, 1, (ushort)length, 0);

    public static bool IsTooShort(VmmDataRequest request, int length, out VmmDataResult refusal)
    {
        refusal = new VmmDataResult(VmmError.ENOSPC, (uint)length);
        return request.Data.Length < length;
    }

    public static VmmDataResult Done(int length) => new(VmmError.None, (uint)length);

    public static VmmDataResult Result(VmmError error, int length) => new(error, error == VmmError.None ? (uint)length : 0);
}
