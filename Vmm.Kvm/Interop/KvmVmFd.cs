// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>
/// A virtual machine's descriptor: one method per request. Safe from any thread; the kernel serialises what it must.
/// </summary>
/// <remarks>Other parts: memory, interrupts, capabilities.</remarks>
internal sealed partial class KvmVmFd : Descriptor
{
    private readonly int _runMappingLength;

    /// <summary>Takes over the descriptor of a new VM.</summary>
    internal KvmVmFd(int fd, KvmSystemFd system)
        : base(fd, system)
    {
        _runMappingLength = system.GetVcpuMmapSize();
    }

    /// <summary>
    /// KVM_CHECK_EXTENSION on the VM: zero when absent, else a positive number with its meaning. Without
    /// KVM_CAP_CHECK_EXTENSION_VM the system's answer.
    /// </summary>
    public int CheckExtension(KvmCapability capability) =>
        Checked(KvmRequests.CheckExtension.Name, KvmCapability.CheckExtensionVm, ProbeExtension(capability));

    /// <summary>KVM_CREATE_VCPU: creates a vCPU and maps its run page.</summary>
    /// <param name="id">The vCPU id, which is also its local APIC id; below KVM_CAP_MAX_VCPU_ID.</param>
    /// <exception cref="VmmException">EEXIST: the id is taken; EINVAL: too large; ENOMEM.</exception>
    public KvmVcpuFd CreateVcpu(uint id)
    {
        int fd = Ioctl(KvmRequests.CreateVcpu, (nint)id);
        RunPage page;
        try
        {
            page = RunPage.Map(fd, _runMappingLength);
        }
        catch (VmmException)
        {
            _ = LibC.close(fd);
            throw;
        }

        return new KvmVcpuFd(fd, this, page);
    }

    /// <summary>KVM_SET_CLOCK.</summary>
    public void SetClock(in KvmClockData clock) => Ioctl(KvmRequests.SetClock, clock);

    /// <summary>KVM_GET_CLOCK.</summary>
    public KvmClockData GetClock() => Ioctl(KvmRequests.GetClock);

    /// <summary>KVM_SET_TSC_KHZ for vCPUs that are yet to be created; needs KVM_CAP_VM_TSC_CONTROL.</summary>
    /// <param name="kilohertz">The guest's TSC frequency; zero means the host's.</param>
    public void SetTscKhz(uint kilohertz) =>
        Checked(
            KvmRequests.SetTscKhz.Name,
            KvmCapability.VmTscControl,
            TryIoctl(KvmRequests.SetTscKhz, (nint)kilohertz));

    /// <summary>KVM_GET_TSC_KHZ of the VM's default; needs KVM_CAP_VM_TSC_CONTROL.</summary>
    public int GetTscKhz() =>
        Checked(KvmRequests.GetTscKhz.Name, KvmCapability.VmTscControl, TryIoctl(KvmRequests.GetTscKhz));

    /// <summary>KVM_SET_BOOT_CPU_ID; before the first vCPU is created, else EBUSY.</summary>
    public void SetBootCpuId(uint id) => Ioctl(KvmRequests.SetBootCpuId, (nint)id);

    /// <summary>KVM_X86_SET_MSR_FILTER: replaces the filter; an empty one with <c>Allow</c> removes it.</summary>
    /// <param name="outside">What happens to MSRs outside the ranges.</param>
    /// <param name="ranges">At most sixteen ranges, none of more than 12288 MSRs.</param>
    /// <exception cref="ArgumentException">Too many or too long ranges, or a bitmap shorter than its range.</exception>
    public unsafe void SetMsrFilter(KvmMsrFilterFlags outside, ReadOnlySpan<KvmMsrFilterEntry> ranges)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ranges.Length, KvmConstants.MsrFilterMaxRanges, nameof(ranges));
        KvmMsrFilter filter = default;
        filter.Flags = (uint)outside;
        byte[] bitmaps = new byte[ranges.Length * KvmConstants.MsrFilterMaxBitmapSize];

        // SAFETY: the bitmaps stay pinned for the call; each has the largest size that the kernel reads for a range.
        fixed (byte* pointer = bitmaps)
        {
            for (int index = 0; index < ranges.Length; index++)
            {
                KvmMsrFilterEntry entry = ranges[index];
                int bytes = entry.Check();
                int offset = index * KvmConstants.MsrFilterMaxBitmapSize;
                entry.Bitmap.Span[..bytes].CopyTo(bitmaps.AsSpan(offset));
                filter.Ranges[index] = new KvmMsrFilterRange
                {
                    Flags = (uint)entry.Accesses,
                    Base = entry.First,
                    Nmsrs = entry.Count,
                    Bitmap = (ulong)(pointer + offset),
                };
            }

            Ioctl(KvmRequests.SetMsrFilter, filter);
        }
    }

    /// <summary>KVM_SET_PMU_EVENT_FILTER.</summary>
    /// <param name="action">What happens to the listed events.</param>
    /// <param name="fixedCounters">The fixed counters that the action is about, one bit each.</param>
    /// <param name="flags">Whether the events carry masks.</param>
    /// <param name="events">The events; the kernel takes at most 300.</param>
    public void SetPmuEventFilter(
        KvmPmuEventAction action,
        uint fixedCounters,
        KvmPmuEventFlags flags,
        ReadOnlySpan<ulong> events)
    {
        using VariableArgument<KvmPmuEventFilter, ulong> argument = new(events.Length);
        argument.Head.Action = (uint)action;
        argument.Head.Nevents = (uint)events.Length;
        argument.Head.FixedCounterBitmap = fixedCounters;
        argument.Head.Flags = (uint)flags;
        events.CopyTo(argument.Elements);
        Checked(
            KvmRequests.SetPmuEventFilter.Name,
            KvmRequests.SetPmuEventFilter.Capability,
            TryIoctl(KvmRequests.SetPmuEventFilter.Code, argument.Bytes));
    }

    /// <summary>KVM_CREATE_DEVICE.</summary>
    /// <param name="type">The device's type.</param>
    /// <exception cref="VmmException">ENODEV: KVM cannot make such a device here.</exception>
    public KvmDeviceFd CreateDevice(KvmDeviceType type)
    {
        KvmCreateDevice argument = new() { Type = (uint)type };
        Ioctl(KvmRequests.CreateDevice, ref argument);
        return new KvmDeviceFd((int)argument.Fd, this);
    }

    /// <summary>KVM_CREATE_DEVICE as a test only: whether KVM can make such a device here.</summary>
    public bool CanCreateDevice(KvmDeviceType type)
    {
        KvmCreateDevice argument = new() { Type = (uint)type, Flags = (uint)KvmCreateDeviceFlags.Test };
        try
        {
            Ioctl(KvmRequests.CreateDevice, ref argument);
            return true;
        }
        catch (VmmException exception) when (exception.Error == VmmError.ENODEV)
        {
            return false;
        }
    }

    /// <summary>KVM_HAS_DEVICE_ATTR on the VM; needs KVM_CAP_VM_ATTRIBUTES, which x86 does not have up to Linux 6.18.</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) =>
        DeviceAttributes.Has(this, group, attribute, KvmCapability.VmAttributes);

    /// <summary>KVM_GET_STATS_FD of the VM.</summary>
    public KvmStatsFd GetStatsFd() => new(Ioctl(KvmRequests.GetStatsFd), this);

    /// <summary>KVM_XEN_HVM_CONFIG.</summary>
    public void XenHvmConfig(in KvmXenHvmConfig config) => Ioctl(KvmRequests.XenHvmConfig, config);

    /// <summary>KVM_XEN_HVM_GET_ATTR: the type goes in, the value comes out.</summary>
    public void XenHvmGetAttr(ref KvmXenHvmAttr attribute) => Ioctl(KvmRequests.XenHvmGetAttr, ref attribute);

    /// <summary>KVM_XEN_HVM_SET_ATTR.</summary>
    public void XenHvmSetAttr(in KvmXenHvmAttr attribute) => Ioctl(KvmRequests.XenHvmSetAttr, attribute);

    /// <summary>KVM_XEN_HVM_EVTCHN_SEND.</summary>
    public void XenHvmEvtchnSend(in KvmIrqRoutingXenEvtchn channel) => Ioctl(KvmRequests.XenHvmEvtchnSend, channel);

    /// <summary>KVM_HYPERV_EVENTFD.</summary>
    public void HypervEventfd(in KvmHypervEventfd binding) => Ioctl(KvmRequests.HypervEventfd, binding);

    private protected override int ProbeExtension(KvmCapability capability)
    {
        int result = TryIoctl(KvmRequests.CheckExtension, (nint)capability);
        return result >= 0 ? result : base.ProbeExtension(capability);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        bool closed = base.ReleaseHandle();
        ReleaseSlots();
        return closed;
    }
}
