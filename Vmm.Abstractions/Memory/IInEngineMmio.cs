// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Memory;

/// <summary>
/// Accesses to the registers of the engine's own memory-mapped devices on behalf of a vCPU. An optional interface of a
/// VM.
/// </summary>
public interface IInEngineMmio
{
    /// <summary>Reads a device register as the guest would.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="address">The guest-physical address.</param>
    /// <param name="bytes">1, 2, 4 or 8.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> (ESRCH) when no device of the engine is there.</returns>
    [VmmKernelSymbol("vm_service_mmio_read")]
    bool TryRead(VcpuId vcpu, GuestPhysicalAddress address, int bytes, out ulong value);

    /// <summary>Writes a device register as the guest would.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="address">The guest-physical address.</param>
    /// <param name="bytes">1, 2, 4 or 8.</param>
    /// <param name="value">The value.</param>
    /// <returns><see langword="false"/> (ESRCH) when no device of the engine is there.</returns>
    [VmmKernelSymbol("vm_service_mmio_write")]
    bool TryWrite(VcpuId vcpu, GuestPhysicalAddress address, int bytes, ulong value);
}
