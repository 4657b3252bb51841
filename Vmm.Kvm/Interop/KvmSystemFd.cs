// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary><c>/dev/kvm</c>: one method per request of the system descriptor. Safe from any thread.</summary>
internal sealed class KvmSystemFd : Descriptor
{
    /// <summary>The device's usual path.</summary>
    public const string DefaultPath = "/dev/kvm";

    private const int FirstCpuidGuess = 128;
    private const int CpuidLimit = 4096;
    private const int FirstMsrGuess = 256;
    private const int MsrLimit = 65536;

    private KvmSystemFd(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens the device and checks that it speaks version 12 of the interface, as every KVM does.</summary>
    /// <param name="path">The device's path.</param>
    /// <exception cref="VmmException">ENOENT, EACCES or what else the host says, with what to do about it.</exception>
    public static KvmSystemFd Open(string path = DefaultPath)
    {
        int fd = LibC.open_rdwr(path);
        if (fd < 0)
        {
            int errno = LibC.Errno;
            throw KvmThrow.Host($"open {path}", errno, OpenHint(errno));
        }

        KvmSystemFd system = new(fd);
        try
        {
            int version = system.GetApiVersion();
            return version == KvmConstants.ApiVersion
                ? system
                : throw new VmmException(
                    KvmRequests.GetApiVersion.Name,
                    VmmError.ENOTSUP,
                    $"{path} has version {version} of the interface, not {KvmConstants.ApiVersion}");
        }
        catch (VmmException)
        {
            system.Dispose();
            throw;
        }
    }

    /// <summary>KVM_GET_API_VERSION: 12 on every kernel since 2.6.22.</summary>
    public int GetApiVersion() => Ioctl(KvmRequests.GetApiVersion);

    /// <summary>KVM_CHECK_EXTENSION: zero when the host lacks the capability, else a positive number with its meaning.</summary>
    public int CheckExtension(KvmCapability capability) => Ioctl(KvmRequests.CheckExtension, (nint)capability);

    /// <summary>KVM_CREATE_VM.</summary>
    /// <param name="type">The machine type; others than the default need KVM_CAP_VM_TYPES.</param>
    public KvmVmFd CreateVm(KvmVmType type = KvmVmType.DefaultVm)
    {
        int fd;
        do
        {
            // A signal that arrives while the kernel builds the VM ends the call with EINTR; nothing was built.
            fd = TryIoctl(KvmRequests.CreateVm, (nint)type);
        }
        while (fd == -(int)VmmError.EINTR);

        KvmCapability? needs = type == KvmVmType.DefaultVm ? null : KvmCapability.VmTypes;
        return new KvmVmFd(Checked(KvmRequests.CreateVm.Name, needs, fd), this);
    }

    /// <summary>KVM_GET_VCPU_MMAP_SIZE: the bytes of a vCPU's run mapping.</summary>
    public int GetVcpuMmapSize() => Ioctl(KvmRequests.GetVcpuMmapSize);

    /// <summary>KVM_GET_SUPPORTED_CPUID.</summary>
    public KvmCpuidEntry2[] GetSupportedCpuid() =>
        CpuidOf(this, KvmRequests.GetSupportedCpuid, KvmRequests.GetSupportedCpuid.Capability);

    /// <summary>KVM_GET_EMULATED_CPUID.</summary>
    public KvmCpuidEntry2[] GetEmulatedCpuid() =>
        CpuidOf(this, KvmRequests.GetEmulatedCpuid, KvmRequests.GetEmulatedCpuid.Capability);

    /// <summary>KVM_GET_SUPPORTED_HV_CPUID on the system descriptor; needs KVM_CAP_SYS_HYPERV_CPUID.</summary>
    public KvmCpuidEntry2[] GetSupportedHvCpuid() =>
        CpuidOf(this, KvmRequests.GetSupportedHvCpuid, KvmCapability.SysHypervCpuid);

    /// <summary>KVM_GET_MSR_INDEX_LIST: the MSRs that can be saved and restored.</summary>
    public uint[] GetMsrIndexList() => MsrList(KvmRequests.GetMsrIndexList);

    /// <summary>KVM_GET_MSR_FEATURE_INDEX_LIST: the MSRs that <see cref="GetMsrs"/> reads here.</summary>
    public uint[] GetMsrFeatureIndexList() => MsrList(KvmRequests.GetMsrFeatureIndexList);

    /// <summary>KVM_GET_MSRS on the system descriptor: feature MSRs; needs KVM_CAP_GET_MSR_FEATURES.</summary>
    /// <param name="entries">The indices in; the data of those that were read out.</param>
    /// <returns>How many were read before the first that was refused.</returns>
    public int GetMsrs(Span<KvmMsrEntry> entries) =>
        MsrTransfer.Get(this, entries, KvmCapability.GetMsrFeatures);

    /// <summary>KVM_X86_GET_MCE_CAP_SUPPORTED: the feature bits of IA32_MCG_CAP; the number of banks is what
    /// <see cref="CheckExtension"/> answers for KVM_CAP_MCE.</summary>
    public ulong GetMceCapSupported() => Ioctl(KvmRequests.GetMceCapSupported);

    /// <summary>KVM_HAS_DEVICE_ATTR on the system descriptor; needs KVM_CAP_SYS_ATTRIBUTES.</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) =>
        DeviceAttributes.Has(this, group, attribute, KvmCapability.SysAttributes);

    /// <summary>KVM_GET_DEVICE_ATTR on the system descriptor; needs KVM_CAP_SYS_ATTRIBUTES.</summary>
    public ulong GetDeviceAttr(uint group, ulong attribute)
    {
        ulong value = 0;
        DeviceAttributes.Get(this, group, attribute, ref value, KvmCapability.SysAttributes);
        return value;
    }

    /// <summary>Fetches a CPUID table, growing the room until it fits.</summary>
    internal static KvmCpuidEntry2[] CpuidOf(
        Descriptor descriptor,
        in IoctlInOut<KvmCpuid2> request,
        KvmCapability? needs)
    {
        for (int count = FirstCpuidGuess; ; count *= 2)
        {
            using VariableArgument<KvmCpuid2, KvmCpuidEntry2> argument = new(count);
            argument.Head.Nent = (uint)count;
            int result = descriptor.TryVariable(request.Code, argument.Bytes);
            if (result >= 0)
            {
                return argument.Elements[..(int)Math.Min(argument.Head.Nent, (uint)count)].ToArray();
            }

            if (result != -(int)VmmError.E2BIG || count >= CpuidLimit)
            {
                throw descriptor.Refusal(request.Name, needs, -result);
            }
        }
    }

    private protected override int ProbeExtension(KvmCapability capability) =>
        TryIoctl(KvmRequests.CheckExtension, (nint)capability);

    private static string? OpenHint(int errno) => (VmmError)errno switch
    {
        VmmError.ENOENT => "load the kvm_intel or kvm_amd module, or pass the device into the container",
        VmmError.EACCES or VmmError.EPERM => "give this user the device, usually by adding it to the group kvm",
        VmmError.ENXIO or VmmError.ENODEV => "the kernel module behind the device is not loaded",
        _ => null,
    };

    private uint[] MsrList(in IoctlInOut<KvmMsrList> request)
    {
        int count = FirstMsrGuess;
        while (true)
        {
            using VariableArgument<KvmMsrList, uint> argument = new(count);
            argument.Head.Nmsrs = (uint)count;
            int result = TryIoctl(request.Code, argument.Bytes);
            if (result >= 0)
            {
                return argument.Elements[..(int)Math.Min(argument.Head.Nmsrs, (uint)count)].ToArray();
            }

            // On E2BIG the kernel has written how many there are.
            uint wanted = argument.Head.Nmsrs;
            if (result != -(int)VmmError.E2BIG || wanted <= count || wanted > MsrLimit)
            {
                throw Failure(request.Name, request.Capability, -result);
            }

            count = (int)wanted;
        }
    }
}
