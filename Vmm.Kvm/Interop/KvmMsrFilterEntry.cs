// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>A range of the MSR filter with its bitmap.</summary>
/// <param name="Accesses">The accesses that the bitmap is about.</param>
/// <param name="First">The first MSR.</param>
/// <param name="Count">How many MSRs, 1 to 12288.</param>
/// <param name="Bitmap">One bit for each MSR, least significant first: set allows, clear denies.</param>
internal readonly record struct KvmMsrFilterEntry(
    KvmMsrFilterRangeFlags Accesses,
    uint First,
    uint Count,
    ReadOnlyMemory<byte> Bitmap)
{
    /// <summary>Checks the range; returns how many bytes its bitmap has.</summary>
    internal int Check()
    {
        const uint Limit = KvmConstants.MsrFilterMaxBitmapSize * 8;
        if (Count is 0 or > Limit)
        {
            throw new ArgumentException($"a range of the MSR filter has 1 to {Limit} MSRs, not {Count}");
        }

        int bytes = (int)((Count + 7) / 8);
        return Bitmap.Length >= bytes
            ? bytes
            : throw new ArgumentException($"{Count} MSRs need a bitmap of {bytes} bytes, not {Bitmap.Length}");
    }
}
