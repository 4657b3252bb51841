// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Engine.Memory;

/// <summary>
/// Guest memory for a page walk by the owner of a vCPU, which keeps the memory map as it is meanwhile. Whoever lets a walk write settles
/// the pages it wrote afterwards.
/// </summary>
internal readonly struct GuestRam(GuestAddressSpace space, WrittenPages? written = null) : IPhysicalMemory
{
    /// <inheritdoc/>
    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        GuestPhysicalAddress address = new(physicalAddress);
        MemoryProtection access = write ? MemoryProtection.ReadWrite : MemoryProtection.Read;
        Span<byte> bytes = default;
        if (space.Find(address) is { } range)
        {
            bytes = range.Bytes(address, length, access);
            if (write && !bytes.IsEmpty && range.Dirty is { } dirty)
            {
                written?.Note(dirty, address.Value - range.Range.Start.Value, length);
            }
        }

        return ref MemoryMarshal.GetReference(bytes);
    }
}
