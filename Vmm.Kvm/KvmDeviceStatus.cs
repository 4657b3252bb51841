// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm;

/// <summary>What became of opening the device.</summary>
public enum KvmDeviceStatus
{
    /// <summary>It opens and speaks the interface.</summary>
    Usable = 0,

    /// <summary>There is no such file.</summary>
    Missing,

    /// <summary>There is a file, but it is not a character device: a directory, a regular file.</summary>
    NotADevice,

    /// <summary>This process may not open it for reading and writing.</summary>
    NotPermitted,

    /// <summary>There is a device, but no driver behind it, or another one than KVM.</summary>
    NotKvm,

    /// <summary>Opening fails for another reason.</summary>
    Failed,
}
