// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine.Memory;

/// <content>Memory of the host's devices, which has no segment and takes none of the mappings that a VM may have.</content>
internal sealed partial class MemoryMap
{
    /// <summary>Maps device memory, readable and writable.</summary>
    public void MapHostDevice(IVcpuFreeze freeze, GuestPhysicalAddress address, GuestMemoryBlock device)
    {
        _machine.RequireFreeze(freeze);
        ArgumentNullException.ThrowIfNull(device);
        if (!address.IsPageAligned || device.Length == 0 || !PageSize.IsMultiple(device.Length) || IsBeyondGuestPhysical(address, device.Length))
        {
            CannotMap($"{device.Length} bytes at {address} are not whole pages within 0x{LastGuestPhysical:x}");
        }

        lock (_lock)
        {
            GuestMemoryMapping mapping = new(address, device.Length, MappedRange.NoSegment, 0, MemoryProtection.ReadWrite, MapFlags.None);
            MappedRange range = new(mapping, device, isSystemMemory: false, _trackDirty);
            if (Array.Find(_ranges, other => other.Range.Overlaps(range.Range)) is { } taken)
            {
                CannotMap($"{range.Range} overlaps the mapping {taken.Range}");
            }

            try
            {
                Place(range);
            }
            catch (VmmException error) when (error.Error != VmmError.ENOMEM)
            {
                CannotMap(error.Message);
            }

            Insert(range);
        }

        static void CannotMap(string reason) => EngineThrow.Refuse("vm_map_mmio", VmmError.ENOMEM, reason);
    }

    /// <summary>Removes a mapping of device memory.</summary>
    public void UnmapHostDevice(IVcpuFreeze freeze, GuestPhysicalAddress address, ulong length)
    {
        _machine.RequireFreeze(freeze);
        lock (_lock)
        {
            int at = Array.FindIndex(
                _ranges, range => range.IsHostDevice && range.Mapping.Address == address && range.Mapping.Length == length);
            if (at < 0)
            {
                EngineThrow.Refuse(
                    "vm_unmap_mmio", VmmError.ENOENT, $"there is no device memory of exactly {length} bytes at {address}");
            }

            MappedRange removed = _ranges[at];
            Publish([.. _ranges[..at], .. _ranges[(at + 1)..]]);
            Drop(removed);
        }
    }
}
