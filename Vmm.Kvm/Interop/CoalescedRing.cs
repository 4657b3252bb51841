// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// The ring into which KVM puts writes to coalesced ranges. KVM produces, one reader at a time consumes; the reader holds
/// the vCPU whose page it is.
/// </summary>
internal readonly struct CoalescedRing
{
    /// <summary>How many entries a page has behind the two indices.</summary>
    public const int Capacity = (LibC.PageSize - HeadSize) / EntrySize;

    private const int HeadSize = 8;
    private const int EntrySize = 24;

    private readonly RunPage _page;
    private readonly int _offset;

    internal CoalescedRing(RunPage page, int offset)
    {
        _page = page;
        _offset = offset;
    }

    /// <summary>Takes the oldest write.</summary>
    /// <param name="write">The write.</param>
    /// <returns>False when there is none.</returns>
    public bool TryTake(out KvmCoalescedMmio write)
    {
        Span<byte> page = _page.Window(_offset, LibC.PageSize);
        ref KvmCoalescedMmioRing head = ref MemoryMarshal.AsRef<KvmCoalescedMmioRing>(page);
        uint first = head.First;
        uint last = Volatile.Read(ref head.Last);
        if (first == last || first >= Capacity)
        {
            write = default;
            return false;
        }

        int position = Unsafe.SizeOf<KvmCoalescedMmioRing>() + ((int)first * Unsafe.SizeOf<KvmCoalescedMmio>());
        write = MemoryMarshal.Read<KvmCoalescedMmio>(page[position..]);

        // The entry must have been copied before KVM may reuse it.
        Volatile.Write(ref head.First, (first + 1) % Capacity);
        return true;
    }
}
