// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <summary>
/// Host-side access to guest memory. Readers work on an array of mappings that is replaced, never changed; a reference on
/// the block keeps the bytes in place while they are copied.
/// </summary>
internal sealed class GuestAddressSpace : IGuestMemory
{
    private MappedRange[] _ranges = [];

    /// <summary>Replaces the mappings, sorted by address.</summary>
    public void Publish(MappedRange[] ranges) => Volatile.Write(ref _ranges, ranges);

    /// <summary>The mapping that contains an address, or null.</summary>
    public MappedRange? Find(GuestPhysicalAddress address)
    {
        MappedRange[] ranges = Volatile.Read(ref _ranges);
        int low = 0;
        int high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            MappedRange range = ranges[middle];
            if (address < range.Range.Start)
            {
                high = middle - 1;
            }
            else if (address > range.Range.Last)
            {
                low = middle + 1;
            }
            else
            {
                return range;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public bool TryRead(GuestPhysicalAddress address, Span<byte> destination)
    {
        if (!IsCovered(address, destination.Length, MemoryProtection.Read))
        {
            return false;
        }

        while (!destination.IsEmpty)
        {
            if (!TryHoldSome(address, destination.Length, MemoryProtection.Read, out GuestMemoryHold hold))
            {
                return false;
            }

            using (hold)
            {
                hold.Bytes.CopyTo(destination);
                destination = destination[hold.Bytes.Length..];
                address = new(unchecked(address.Value + (ulong)hold.Bytes.Length));
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(GuestPhysicalAddress address, ReadOnlySpan<byte> source)
    {
        if (!IsCovered(address, source.Length, MemoryProtection.Write))
        {
            return false;
        }

        while (!source.IsEmpty)
        {
            if (!TryHoldSome(address, source.Length, MemoryProtection.Write, out GuestMemoryHold hold))
            {
                return false;
            }

            using (hold)
            {
                source[..hold.Bytes.Length].CopyTo(hold.Bytes);
                source = source[hold.Bytes.Length..];
                address = new(unchecked(address.Value + (ulong)hold.Bytes.Length));
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public bool TryCompareExchange(GuestPhysicalAddress address, uint expected, uint replacement, out bool exchanged)
    {
        exchanged = false;
        if (address.Value % sizeof(uint) != 0
            || !TryHold(address, sizeof(uint), MemoryProtection.ReadWrite, out GuestMemoryHold hold))
        {
            return false;
        }

        using (hold)
        {
            ref uint target = ref Unsafe.As<byte, uint>(ref MemoryMarshal.GetReference(hold.Bytes));
            exchanged = Interlocked.CompareExchange(ref target, replacement, expected) == expected;
            return true;
        }
    }

    /// <inheritdoc/>
    public bool TryCompareExchange(GuestPhysicalAddress address, ulong expected, ulong replacement, out bool exchanged)
    {
        exchanged = false;
        if (address.Value % sizeof(ulong) != 0
            || !TryHold(address, sizeof(ulong), MemoryProtection.ReadWrite, out GuestMemoryHold hold))
        {
            return false;
        }

        using (hold)
        {
            ref ulong target = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(hold.Bytes));
            exchanged = Interlocked.CompareExchange(ref target, replacement, expected) == expected;
            return true;
        }
    }

    /// <inheritdoc/>
    public bool TryHold(GuestPhysicalAddress address, int length, MemoryProtection access, out GuestMemoryHold hold)
    {
        hold = default;
        return length > 0
            && Find(address) is MappedRange range
            && range.BytesFrom(address) - 1 >= (ulong)length - 1
            && TryHoldIn(range, address, length, access, out hold);
    }

    /// <summary>Records a write by the host, after it; nothing where there is no memory or nobody will ask.</summary>
    public void Written(GuestPhysicalAddress address, int length)
    {
        while (length > 0 && Find(address) is { } range)
        {
            int here = (int)Math.Min((ulong)length, range.BytesFrom(address));
            range.Dirty?.Written(address.Value - range.Range.Start.Value, here);
            length -= here;
            address = new(unchecked(address.Value + (ulong)here));
        }
    }

    private bool TryHoldSome(GuestPhysicalAddress address, int length, MemoryProtection access, out GuestMemoryHold hold)
    {
        hold = default;
        return Find(address) is MappedRange range
            && TryHoldIn(range, address, (int)Math.Min((ulong)length, range.BytesFrom(address)), access, out hold);
    }

    private static bool TryHoldIn(
        MappedRange range, GuestPhysicalAddress address, int length, MemoryProtection access, out GuestMemoryHold hold)
    {
        hold = default;
        if ((range.Mapping.Protection & access) != access || !range.Block.TryAddReference())
        {
            return false;
        }

        hold = new GuestMemoryHold(
            range.Block,
            range.Block.GetSpan(range.BlockOffset(address), length),
            (access & MemoryProtection.Write) != 0 ? range.Dirty : null,
            address.Value - range.Range.Start.Value);
        return true;
    }

    private bool IsCovered(GuestPhysicalAddress address, int length, MemoryProtection access)
    {
        ulong left = (ulong)length;
        while (left > 0)
        {
            if (Find(address) is not MappedRange range || (range.Mapping.Protection & access) != access)
            {
                return false;
            }

            ulong here = range.BytesFrom(address);
            if (here >= left)
            {
                return true;
            }

            left -= here;
            if (!range.Range.Last.TryAdd(1, out address))
            {
                return false;
            }
        }

        return true;
    }
}
