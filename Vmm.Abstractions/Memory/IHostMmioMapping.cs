// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Machine;

namespace Vmm.Abstractions.Memory;

/// <summary>Maps device memory of the host into a guest. An optional interface of a VM.</summary>
public interface IHostMmioMapping
{
    /// <summary>Maps a range of host device memory, readable and writable.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="address">The guest-physical address.</param>
    /// <param name="device">The device's memory as the host has mapped it.</param>
    /// <exception cref="Errors.VmmException">ENOMEM: the range cannot be mapped.</exception>
    [VmmKernelSymbol("vm_map_mmio")]
    void MapMmio(IVcpuFreeze freeze, GuestPhysicalAddress address, GuestMemoryBlock device);

    /// <summary>Removes such a mapping.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="address">The mapping's address.</param>
    /// <param name="length">The mapping's whole length.</param>
    /// <exception cref="Errors.VmmException">ENOENT: no such mapping.</exception>
    [VmmKernelSymbol("vm_unmap_mmio")]
    void UnmapMmio(IVcpuFreeze freeze, GuestPhysicalAddress address, ulong length);
}
