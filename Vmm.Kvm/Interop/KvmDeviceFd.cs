// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>A device that KVM_CREATE_DEVICE made. Safe from any thread.</summary>
/// <param name="fd">The descriptor.</param>
/// <param name="vm">The VM it belongs to.</param>
internal sealed class KvmDeviceFd(int fd, KvmVmFd vm) : Descriptor(fd, vm)
{
    /// <summary>KVM_HAS_DEVICE_ATTR.</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) =>
        DeviceAttributes.Has(this, group, attribute, KvmCapability.DeviceCtrl);

    /// <summary>KVM_GET_DEVICE_ATTR.</summary>
    /// <typeparam name="T">The attribute's value as the kernel defines it; a smaller type would be overrun.</typeparam>
    public void GetDeviceAttr<T>(uint group, ulong attribute, ref T value)
        where T : unmanaged =>
        DeviceAttributes.Get(this, group, attribute, ref value, KvmCapability.DeviceCtrl);

    /// <summary>KVM_SET_DEVICE_ATTR.</summary>
    /// <typeparam name="T">The attribute's value as the kernel defines it.</typeparam>
    public void SetDeviceAttr<T>(uint group, ulong attribute, T value)
        where T : unmanaged =>
        DeviceAttributes.Set(this, group, attribute, value, KvmCapability.DeviceCtrl);
}
