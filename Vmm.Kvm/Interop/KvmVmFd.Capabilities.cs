// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <content>What KVM_ENABLE_CAP switches on for a whole VM.</content>
internal sealed partial class KvmVmFd
{
    /// <summary>KVM_ENABLE_CAP on the VM; needs KVM_CAP_ENABLE_CAP_VM and the capability itself.</summary>
    /// <param name="capability">The capability.</param>
    /// <param name="arguments">At most four arguments, as the capability defines them.</param>
    public void EnableCap(KvmCapability capability, params ReadOnlySpan<ulong> arguments)
    {
        // The kernel accepts some switches that its hardware cannot honour (KVM_CAP_X86_BUS_LOCK_EXIT is one).
        if (ProbeExtension(capability) == 0)
        {
            throw KvmThrow.Missing(KvmRequests.EnableCap.Name, capability);
        }

        KvmEnableCap argument = new() { Cap = (uint)capability };
        Span<ulong> slots = argument.Args;
        arguments.CopyTo(slots);
        Ioctl(KvmRequests.EnableCap, argument, capability);
    }

    /// <summary>KVM_CAP_SPLIT_IRQCHIP: local APICs inside KVM, PICs and I/O APIC outside; before the first vCPU.</summary>
    /// <param name="ioapicPins">How many GSI routes KVM reserves for the I/O APIC outside, usually 24.</param>
    public void EnableSplitIrqchip(uint ioapicPins) => EnableCap(KvmCapability.SplitIrqchip, ioapicPins);

    /// <summary>KVM_CAP_X86_USER_SPACE_MSR: MSR accesses that KVM would fault leave the guest instead.</summary>
    public void EnableUserSpaceMsr(KvmMsrExitReason reasons) => EnableCap(KvmCapability.X86UserSpaceMsr, (ulong)reasons);

    /// <summary>KVM_CAP_X86_DISABLE_EXITS: instructions that no longer leave the guest; before the first vCPU.</summary>
    public void DisableExits(KvmDisableExits exits) => EnableCap(KvmCapability.X86DisableExits, (ulong)exits);

    /// <summary>KVM_CAP_X2APIC_API: 32-bit APIC ids in routes and local APIC state.</summary>
    public void EnableX2ApicApi(KvmX2ApicApiFlags flags) => EnableCap(KvmCapability.X2apicApi, (ulong)flags);

    /// <summary>KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: KVM_GET_DIRTY_LOG no longer protects pages by itself.</summary>
    public void EnableManualDirtyLogProtect(KvmDirtyLogFlags flags) =>
        EnableCap(KvmCapability.ManualDirtyLogProtect2, (ulong)flags);

    /// <summary>KVM_CAP_DIRTY_LOG_RING_ACQ_REL (or the older KVM_CAP_DIRTY_LOG_RING): before the first vCPU.</summary>
    /// <param name="bytes">The ring's size for each vCPU, a power of two, at least a page.</param>
    public void EnableDirtyRing(uint bytes)
    {
        bool ordered = ProbeExtension(KvmCapability.DirtyLogRingAcqRel) > 0;
        EnableCap(ordered ? KvmCapability.DirtyLogRingAcqRel : KvmCapability.DirtyLogRing, bytes);
    }

    /// <summary>KVM_CAP_EXIT_ON_EMULATION_FAILURE: an instruction that KVM cannot emulate always leaves the guest.</summary>
    public void EnableExitOnEmulationFailure(bool enable) =>
        EnableCap(KvmCapability.ExitOnEmulationFailure, enable ? 1u : 0u);

    /// <summary>KVM_CAP_EXCEPTION_PAYLOAD: pending exceptions carry their CR2 or DR6 value.</summary>
    public void EnableExceptionPayload(bool enable) => EnableCap(KvmCapability.ExceptionPayload, enable ? 1u : 0u);

    /// <summary>KVM_CAP_X86_TRIPLE_FAULT_EVENT: a pending triple fault is part of the vCPU's events.</summary>
    public void EnableTripleFaultEvent(bool enable) => EnableCap(KvmCapability.X86TripleFaultEvent, enable ? 1u : 0u);

    /// <summary>KVM_CAP_X86_BUS_LOCK_EXIT.</summary>
    public void EnableBusLockExit(KvmBusLockDetection mode) => EnableCap(KvmCapability.X86BusLockExit, (ulong)mode);

    /// <summary>KVM_CAP_X86_NOTIFY_VMEXIT: leaves the guest when no event window opened for a while.</summary>
    /// <param name="window">The window in TSC cycles.</param>
    /// <param name="flags">Whether the monitor is told.</param>
    public void EnableNotifyVmexit(uint window, KvmNotifyVmexitFlags flags) =>
        EnableCap(KvmCapability.X86NotifyVmexit, ((ulong)window << 32) | (ulong)flags);

    /// <summary>KVM_CAP_DISABLE_QUIRKS2.</summary>
    public void DisableQuirks(KvmQuirks quirks) => EnableCap(KvmCapability.DisableQuirks2, (ulong)quirks);

    /// <summary>KVM_CAP_HALT_POLL: how long KVM polls before it puts a halted vCPU to sleep, in nanoseconds.</summary>
    public void SetHaltPoll(ulong nanoseconds) => EnableCap(KvmCapability.HaltPoll, nanoseconds);

    /// <summary>KVM_CAP_PMU_CAPABILITY; before the first vCPU.</summary>
    public void SetPmuCapability(KvmPmuCapability flags) => EnableCap(KvmCapability.PmuCapability, (ulong)flags);

    /// <summary>KVM_CAP_MAX_VCPU_ID: the highest vCPU id that will be used; before the first vCPU.</summary>
    public void SetMaxVcpuId(uint highest) => EnableCap(KvmCapability.MaxVcpuId, highest);

    /// <summary>KVM_CAP_EXIT_HYPERCALL: a mask of hypercall numbers that leave the guest.</summary>
    public void EnableHypercallExit(ulong numbers) => EnableCap(KvmCapability.ExitHypercall, numbers);

    /// <summary>KVM_CAP_X86_APIC_BUS_CYCLES_NS: the APIC bus period in nanoseconds; before the first vCPU.</summary>
    public void SetApicBusCycles(ulong nanoseconds) => EnableCap(KvmCapability.X86ApicBusCyclesNs, nanoseconds);

    /// <summary>KVM_CAP_MSR_PLATFORM_INFO: whether the guest may read MSR_PLATFORM_INFO.</summary>
    public void EnablePlatformInfoMsr(bool enable) => EnableCap(KvmCapability.MsrPlatformInfo, enable ? 1u : 0u);

    /// <summary>KVM_CAP_VM_DISABLE_NX_HUGE_PAGES; before the first vCPU.</summary>
    public void DisableNxHugePages() => EnableCap(KvmCapability.VmDisableNxHugePages);
}
