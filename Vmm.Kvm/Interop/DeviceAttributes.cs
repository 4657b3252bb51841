// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>The three attribute requests, which devices, vCPUs, VMs and the system descriptor share.</summary>
internal static unsafe class DeviceAttributes
{
    /// <summary>KVM_HAS_DEVICE_ATTR.</summary>
    public static bool Has(Descriptor descriptor, uint group, ulong attribute, KvmCapability needs)
    {
        KvmDeviceAttr argument = new() { Group = group, Attr = attribute };

        // SAFETY: the local is on this stack for the call; the request does not use the value's address.
        int result = descriptor.TryPointer(KvmRequests.HasDeviceAttr.Code, &argument);
        return result switch
        {
            >= 0 => true,
            -(int)VmmError.ENXIO => false,
            _ => throw descriptor.Refusal(KvmRequests.HasDeviceAttr.Name, needs, -result),
        };
    }

    /// <summary>KVM_GET_DEVICE_ATTR.</summary>
    /// <typeparam name="T">The attribute's value as the kernel defines it; a smaller type would be overrun.</typeparam>
    public static void Get<T>(Descriptor descriptor, uint group, ulong attribute, ref T value, KvmCapability needs)
        where T : unmanaged =>
        Transfer(descriptor, KvmRequests.GetDeviceAttr, group, attribute, ref value, needs);

    /// <summary>KVM_SET_DEVICE_ATTR.</summary>
    /// <typeparam name="T">The attribute's value as the kernel defines it.</typeparam>
    public static void Set<T>(Descriptor descriptor, uint group, ulong attribute, T value, KvmCapability needs)
        where T : unmanaged =>
        Transfer(descriptor, KvmRequests.SetDeviceAttr, group, attribute, ref value, needs);

    private static void Transfer<T>(
        Descriptor descriptor,
        in IoctlIn<KvmDeviceAttr> request,
        uint group,
        ulong attribute,
        ref T value,
        KvmCapability needs)
        where T : unmanaged
    {
        // SAFETY: value and argument stay in place for the call; the value is as large as the attribute by contract.
        fixed (T* pointer = &value)
        {
            KvmDeviceAttr argument = new() { Group = group, Attr = attribute, Addr = (ulong)pointer };
            int result = descriptor.TryPointer(request.Code, &argument);
            if (result < 0)
            {
                throw descriptor.Refusal(request.Name, needs, -result);
            }
        }
    }
}
