// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;

namespace Vmm.Abstractions.Devices;

/// <summary>Gives a guest PCI devices of the host. An optional interface of a VM.</summary>
public interface IDevicePassthrough
{
    /// <summary>Tells whether the host can keep the accesses of a guest's devices to the guest's memory. Any thread.</summary>
    /// <returns>Whether a domain could be made; without one no device can be assigned.</returns>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    [VmmKernelSymbol("vmm_check_iommu")]
    bool CheckIommu();

    /// <summary>
    /// Tells whether a device is set aside for guests (<see cref="VirtualMachineOptions.PassthroughDevices"/>), which does not say that it
    /// can be assigned. Any thread.
    /// </summary>
    /// <param name="function">The device.</param>
    /// <returns>Whether it is.</returns>
    [VmmKernelSymbol("vmm_is_pptdev")]
    bool IsPassthroughDevice(PciFunction function);

    /// <summary>The domain that keeps the accesses of the VM's devices to its memory; null while it has none. Any thread.</summary>
    /// <exception cref="ObjectDisposedException">The VM is gone.</exception>
    [VmmKernelSymbol("vm_iommu_domain")]
    SafeHandle? IommuDomain { get; }

    /// <summary>Gives the guest a device. The first one makes the domain and maps the wired memory into it.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="device">The device, as its driver on the host gives it to user space.</param>
    /// <exception cref="VmmException">
    /// ENXIO: the domain cannot be made; EBADF: it is no such device; EBUSY: another VM has it; EIO: its configuration cannot be saved.
    /// </exception>
    [VmmKernelSymbol("vm_assign_pptdev")]
    void AssignDevice(IVcpuFreeze freeze, SafeHandle device);

    /// <summary>Takes a device back; with the last one the domain goes.</summary>
    /// <param name="freeze">Shows that every vCPU is frozen.</param>
    /// <param name="device">The device.</param>
    /// <exception cref="VmmException">EBADF: the guest does not have it; EBUSY: another VM has it.</exception>
    [VmmKernelSymbol("vm_unassign_pptdev")]
    void UnassignDevice(IVcpuFreeze freeze, SafeHandle device);
}
