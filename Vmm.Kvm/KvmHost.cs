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

    /// <summary>
    /// Whether the processor does not walk the guest's page tables itself: KVM then executes the guest on tables of its own that it
    /// derives from the guest's.
    /// </summary>
    public static bool ShadowsPageTables(HostVirtualization virtualization) => virtualization switch
    {
        HostVirtualization.Vmx => IsOff("kvm_intel/parameters/ept"),
        HostVirtualization.Svm => IsOff("kvm_amd/parameters/npt"),
        _ => true,
    };

    private static bool IsOff(string parameter)
    {
        string path = $"{ModuleFolder}/{parameter}";
        return !File.Exists(path) || File.ReadAllText(path).Trim() is not ("Y" or "1");
    }
}
