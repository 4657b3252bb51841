// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <content>Requests of the system descriptor.</content>
internal static partial class KvmRequests
{
    /// <summary><c>KVM_GET_API_VERSION</c>; needs no capability. Returns the API version, 12 since Linux 2.6.22.</summary>
    public static readonly IoctlNone GetApiVersion =
        new("KVM_GET_API_VERSION", 0x00, null);

    /// <summary><c>KVM_CREATE_VM</c>; needs no capability. Takes the machine type by value; returns a VM descriptor.</summary>
    public static readonly IoctlNone CreateVm =
        new("KVM_CREATE_VM", 0x01, null);

    /// <summary><c>KVM_GET_MSR_INDEX_LIST</c>; needs no capability. Lists the MSRs that can be saved and restored.</summary>
    public static readonly IoctlInOut<KvmMsrList> GetMsrIndexList =
        new("KVM_GET_MSR_INDEX_LIST", 0x02, null);

    /// <summary><c>KVM_CHECK_EXTENSION</c>; needs no capability. Takes the capability by value; on a VM descriptor it needs KVM_CAP_CHECK_EXTENSION_VM.</summary>
    public static readonly IoctlNone CheckExtension =
        new("KVM_CHECK_EXTENSION", 0x03, null);

    /// <summary><c>KVM_GET_VCPU_MMAP_SIZE</c>; needs no capability. Returns the size of the run page mapping in bytes.</summary>
    public static readonly IoctlNone GetVcpuMmapSize =
        new("KVM_GET_VCPU_MMAP_SIZE", 0x04, null);

    /// <summary><c>KVM_GET_SUPPORTED_CPUID</c>; needs <c>KVM_CAP_EXT_CPUID</c>. The CPUID that host and KVM support together.</summary>
    public static readonly IoctlInOut<KvmCpuid2> GetSupportedCpuid =
        new("KVM_GET_SUPPORTED_CPUID", 0x05, KvmCapability.ExtCpuid);

    /// <summary><c>KVM_GET_EMULATED_CPUID</c>; needs <c>KVM_CAP_EXT_EMUL_CPUID</c>. The CPUID that KVM emulates without support of the host.</summary>
    public static readonly IoctlInOut<KvmCpuid2> GetEmulatedCpuid =
        new("KVM_GET_EMULATED_CPUID", 0x09, KvmCapability.ExtEmulCpuid);

    /// <summary><c>KVM_GET_MSR_FEATURE_INDEX_LIST</c>; needs <c>KVM_CAP_GET_MSR_FEATURES</c>. Lists the feature MSRs of the system descriptor.</summary>
    public static readonly IoctlInOut<KvmMsrList> GetMsrFeatureIndexList =
        new("KVM_GET_MSR_FEATURE_INDEX_LIST", 0x0a, KvmCapability.GetMsrFeatures);

    /// <summary><c>KVM_GET_MSRS</c>; needs no capability. Returns how many MSRs were read; on the system descriptor (feature MSRs) it needs KVM_CAP_GET_MSR_FEATURES.</summary>
    public static readonly IoctlInOut<KvmMsrs> GetMsrs =
        new("KVM_GET_MSRS", 0x88, null);

    /// <summary><c>KVM_X86_GET_MCE_CAP_SUPPORTED</c>; needs <c>KVM_CAP_MCE</c>. The machine-check capabilities; KVM_CAP_MCE says how many banks.</summary>
    public static readonly IoctlOut<ulong> GetMceCapSupported =
        new("KVM_X86_GET_MCE_CAP_SUPPORTED", 0x9d, KvmCapability.Mce);

    /// <summary><c>KVM_GET_SUPPORTED_HV_CPUID</c>; needs <c>KVM_CAP_HYPERV_CPUID</c>. The Hyper-V CPUID leaves; on the system descriptor it needs KVM_CAP_SYS_HYPERV_CPUID.</summary>
    public static readonly IoctlInOut<KvmCpuid2> GetSupportedHvCpuid =
        new("KVM_GET_SUPPORTED_HV_CPUID", 0xc1, KvmCapability.HypervCpuid);
}
