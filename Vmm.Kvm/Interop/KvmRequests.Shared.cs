// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <content>Requests that several kinds of descriptor share.</content>
internal static partial class KvmRequests
{
    /// <summary><c>KVM_SET_TSC_KHZ</c>; needs <c>KVM_CAP_TSC_CONTROL</c>. Takes the frequency by value; on a VM descriptor it needs KVM_CAP_VM_TSC_CONTROL.</summary>
    public static readonly IoctlNone SetTscKhz =
        new("KVM_SET_TSC_KHZ", 0xa2, KvmCapability.TscControl);

    /// <summary><c>KVM_GET_TSC_KHZ</c>; needs <c>KVM_CAP_GET_TSC_KHZ</c>. Returns the frequency in kHz; on a VM descriptor it needs KVM_CAP_VM_TSC_CONTROL.</summary>
    public static readonly IoctlNone GetTscKhz =
        new("KVM_GET_TSC_KHZ", 0xa3, KvmCapability.GetTscKhz);

    /// <summary><c>KVM_ENABLE_CAP</c>; needs <c>KVM_CAP_ENABLE_CAP</c>. Switches a capability on; on a VM descriptor it needs KVM_CAP_ENABLE_CAP_VM.</summary>
    public static readonly IoctlIn<KvmEnableCap> EnableCap =
        new("KVM_ENABLE_CAP", 0xa3, KvmCapability.EnableCap);

    /// <summary><c>KVM_GET_STATS_FD</c>; needs <c>KVM_CAP_BINARY_STATS_FD</c>. Returns a descriptor of binary statistics.</summary>
    public static readonly IoctlNone GetStatsFd =
        new("KVM_GET_STATS_FD", 0xce, KvmCapability.BinaryStatsFd);

    /// <summary><c>KVM_SET_DEVICE_ATTR</c>; needs <c>KVM_CAP_DEVICE_CTRL</c>. Writes an attribute of a device, VM or vCPU.</summary>
    public static readonly IoctlIn<KvmDeviceAttr> SetDeviceAttr =
        new("KVM_SET_DEVICE_ATTR", 0xe1, KvmCapability.DeviceCtrl);

    /// <summary><c>KVM_GET_DEVICE_ATTR</c>; needs <c>KVM_CAP_DEVICE_CTRL</c>. Writes through the value address in its argument, which itself is only read.</summary>
    public static readonly IoctlIn<KvmDeviceAttr> GetDeviceAttr =
        new("KVM_GET_DEVICE_ATTR", 0xe2, KvmCapability.DeviceCtrl);

    /// <summary><c>KVM_HAS_DEVICE_ATTR</c>; needs <c>KVM_CAP_DEVICE_CTRL</c>. Tells whether an attribute exists.</summary>
    public static readonly IoctlIn<KvmDeviceAttr> HasDeviceAttr =
        new("KVM_HAS_DEVICE_ATTR", 0xe3, KvmCapability.DeviceCtrl);
}
