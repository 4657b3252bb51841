// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Engine.Memory;

/// <summary>Guest memory for a page walk by the owner of a vCPU, which keeps the memory map as it is meanwhile.</summary>
internal readonly struct GuestRam(GuestAddressSpace space) : IPhysicalMemory
{
    /// <inheritdoc/>
    public ref byte Ram(ulong physicalAddress, int length, bool write)
    {
        GuestPhysicalAddress address = new(physicalAddress);
        MemoryProtection access = write ? MemoryProtection.ReadWrite : MemoryProtection.Read;
        return ref MemoryMarshal.GetReference(
            space.Find(address) is { } range ? range.Bytes(address, length, access) : default);
    }
}
