// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Kvm;

/// <summary>Tells which of the kernel's KVM modules is in use.</summary>
internal static class KvmHost
{
    private const string ModuleFolder = "/sys/module";

    /// <summary>How this host executes guests, by the vendor module that is loaded.</summary>
    public static HostVirtualization Detect()
    {
        if (Directory.Exists($"{ModuleFolder}/kvm_pvm"))
        {
            return HostVirtualization.Pvm;
        }

        if (Directory.Exists($"{ModuleFolder}/kvm_intel"))
        {
            return HostVirtualization.Vmx;
        }

        return Directory.Exists($"{ModuleFolder}/kvm_amd") ? HostVirtualization.Svm : HostVirtualization.Unknown;
    }
}
