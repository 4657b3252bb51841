// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <content>Requests of a VM descriptor.</content>
internal static partial class KvmRequests
{
    /// <summary><c>KVM_CREATE_VCPU</c>; needs no capability. Takes the vCPU id by value; returns a vCPU descriptor.</summary>
    public static readonly IoctlNone CreateVcpu =
        new("KVM_CREATE_VCPU", 0x41, null);

    /// <summary><c>KVM_GET_DIRTY_LOG</c>; needs no capability. Writes through the bitmap address in its argument, which itself is only read.</summary>
    public static readonly IoctlIn<KvmDirtyLog> GetDirtyLog =
        new("KVM_GET_DIRTY_LOG", 0x42, null);

    /// <summary><c>KVM_SET_NR_MMU_PAGES</c>; needs <c>KVM_CAP_MMU_SHADOW_CACHE_CONTROL</c>. Takes the number of shadow pages by value.</summary>
    public static readonly IoctlNone SetNrMmuPages =
        new("KVM_SET_NR_MMU_PAGES", 0x44, KvmCapability.MmuShadowCacheControl);

    /// <summary><c>KVM_SET_USER_MEMORY_REGION</c>; needs <c>KVM_CAP_USER_MEMORY</c>. Creates, moves, re-flags or (size zero) deletes a slot.</summary>
    public static readonly IoctlIn<KvmUserspaceMemoryRegion> SetUserMemoryRegion =
        new("KVM_SET_USER_MEMORY_REGION", 0x46, KvmCapability.UserMemory);

    /// <summary><c>KVM_SET_TSS_ADDR</c>; needs <c>KVM_CAP_SET_TSS_ADDR</c>. Takes the guest-physical address of three pages by value.</summary>
    public static readonly IoctlNone SetTssAddr =
        new("KVM_SET_TSS_ADDR", 0x47, KvmCapability.SetTssAddr);

    /// <summary><c>KVM_SET_IDENTITY_MAP_ADDR</c>; needs <c>KVM_CAP_SET_IDENTITY_MAP_ADDR</c>. The guest-physical address of the identity-map page.</summary>
    public static readonly IoctlIn<ulong> SetIdentityMapAddr =
        new("KVM_SET_IDENTITY_MAP_ADDR", 0x48, KvmCapability.SetIdentityMapAddr);

    /// <summary><c>KVM_SET_USER_MEMORY_REGION2</c>; needs <c>KVM_CAP_USER_MEMORY2</c>. As KVM_SET_USER_MEMORY_REGION, with guest_memfd.</summary>
    public static readonly IoctlIn<KvmUserspaceMemoryRegion2> SetUserMemoryRegion2 =
        new("KVM_SET_USER_MEMORY_REGION2", 0x49, KvmCapability.UserMemory2);

    /// <summary><c>KVM_CREATE_IRQCHIP</c>; needs <c>KVM_CAP_IRQCHIP</c>. Creates PICs, I/O APIC and local APICs inside KVM.</summary>
    public static readonly IoctlNone CreateIrqchip =
        new("KVM_CREATE_IRQCHIP", 0x60, KvmCapability.Irqchip);

    /// <summary><c>KVM_IRQ_LINE</c>; needs <c>KVM_CAP_IRQCHIP</c>. Drives an interrupt line.</summary>
    public static readonly IoctlIn<KvmIrqLevel> IrqLine =
        new("KVM_IRQ_LINE", 0x61, KvmCapability.Irqchip);

    /// <summary><c>KVM_GET_IRQCHIP</c>; needs <c>KVM_CAP_IRQCHIP</c>. The chip id goes in, its state comes out.</summary>
    public static readonly IoctlInOut<KvmIrqchip> GetIrqchip =
        new("KVM_GET_IRQCHIP", 0x62, KvmCapability.Irqchip);

    /// <summary><c>KVM_SET_IRQCHIP</c>; needs <c>KVM_CAP_IRQCHIP</c>. The header encodes it as a read although the kernel takes the argument in.</summary>
    public static readonly IoctlIn<KvmIrqchip> SetIrqchip =
        new("KVM_SET_IRQCHIP", 0x63, KvmCapability.Irqchip, encodedAs: IoctlCode.Read);

    /// <summary><c>KVM_IRQ_LINE_STATUS</c>; needs <c>KVM_CAP_IRQ_INJECT_STATUS</c>. Drives a line and returns what became of it.</summary>
    public static readonly IoctlInOut<KvmIrqLevel> IrqLineStatus =
        new("KVM_IRQ_LINE_STATUS", 0x67, KvmCapability.IrqInjectStatus);

    /// <summary><c>KVM_REGISTER_COALESCED_MMIO</c>; needs <c>KVM_CAP_COALESCED_MMIO</c>. Batches writes to a range; ports need KVM_CAP_COALESCED_PIO.</summary>
    public static readonly IoctlIn<KvmCoalescedMmioZone> RegisterCoalescedMmio =
        new("KVM_REGISTER_COALESCED_MMIO", 0x67, KvmCapability.CoalescedMmio);

    /// <summary><c>KVM_UNREGISTER_COALESCED_MMIO</c>; needs <c>KVM_CAP_COALESCED_MMIO</c>. Ends the batching.</summary>
    public static readonly IoctlIn<KvmCoalescedMmioZone> UnregisterCoalescedMmio =
        new("KVM_UNREGISTER_COALESCED_MMIO", 0x68, KvmCapability.CoalescedMmio);

    /// <summary><c>KVM_SET_GSI_ROUTING</c>; needs <c>KVM_CAP_IRQ_ROUTING</c>. Replaces the whole routing table; the entries follow the head.</summary>
    public static readonly IoctlIn<KvmIrqRouting> SetGsiRouting =
        new("KVM_SET_GSI_ROUTING", 0x6a, KvmCapability.IrqRouting);

    /// <summary><c>KVM_REINJECT_CONTROL</c>; needs <c>KVM_CAP_REINJECT_CONTROL</c>. The header encodes neither direction nor size although the argument is a pointer.</summary>
    public static readonly IoctlIn<KvmReinjectControl> ReinjectControl =
        new("KVM_REINJECT_CONTROL", 0x71, KvmCapability.ReinjectControl, encodedAs: IoctlCode.None);

    /// <summary><c>KVM_IRQFD</c>; needs <c>KVM_CAP_IRQFD</c>. Binds or unbinds an eventfd and a GSI.</summary>
    public static readonly IoctlIn<KvmIrqfd> Irqfd =
        new("KVM_IRQFD", 0x76, KvmCapability.Irqfd);

    /// <summary><c>KVM_CREATE_PIT2</c>; needs <c>KVM_CAP_PIT2</c>. Creates the PIT inside KVM; needs the irqchip first.</summary>
    public static readonly IoctlIn<KvmPitConfig> CreatePit2 =
        new("KVM_CREATE_PIT2", 0x77, KvmCapability.Pit2);

    /// <summary><c>KVM_SET_BOOT_CPU_ID</c>; needs <c>KVM_CAP_SET_BOOT_CPU_ID</c>. Takes the vCPU id by value; before the first vCPU is created.</summary>
    public static readonly IoctlNone SetBootCpuId =
        new("KVM_SET_BOOT_CPU_ID", 0x78, KvmCapability.SetBootCpuId);

    /// <summary><c>KVM_IOEVENTFD</c>; needs <c>KVM_CAP_IOEVENTFD</c>. Binds or unbinds an eventfd and an address.</summary>
    public static readonly IoctlIn<KvmIoeventfd> Ioeventfd =
        new("KVM_IOEVENTFD", 0x79, KvmCapability.Ioeventfd);

    /// <summary><c>KVM_XEN_HVM_CONFIG</c>; needs <c>KVM_CAP_XEN_HVM</c>. Configures the Xen interface.</summary>
    public static readonly IoctlIn<KvmXenHvmConfig> XenHvmConfig =
        new("KVM_XEN_HVM_CONFIG", 0x7a, KvmCapability.XenHvm);

    /// <summary><c>KVM_SET_CLOCK</c>; needs <c>KVM_CAP_ADJUST_CLOCK</c>. Sets the paravirtual clock.</summary>
    public static readonly IoctlIn<KvmClockData> SetClock =
        new("KVM_SET_CLOCK", 0x7b, KvmCapability.AdjustClock);

    /// <summary><c>KVM_GET_CLOCK</c>; needs <c>KVM_CAP_ADJUST_CLOCK</c>. Reads the paravirtual clock.</summary>
    public static readonly IoctlOut<KvmClockData> GetClock =
        new("KVM_GET_CLOCK", 0x7c, KvmCapability.AdjustClock);

    /// <summary><c>KVM_GET_PIT2</c>; needs <c>KVM_CAP_PIT_STATE2</c>. Reads the PIT.</summary>
    public static readonly IoctlOut<KvmPitState2> GetPit2 =
        new("KVM_GET_PIT2", 0x9f, KvmCapability.PitState2);

    /// <summary><c>KVM_SET_PIT2</c>; needs <c>KVM_CAP_PIT_STATE2</c>. Writes the PIT.</summary>
    public static readonly IoctlIn<KvmPitState2> SetPit2 =
        new("KVM_SET_PIT2", 0xa0, KvmCapability.PitState2);

    /// <summary><c>KVM_SIGNAL_MSI</c>; needs <c>KVM_CAP_SIGNAL_MSI</c>. Delivers an MSI; returns above zero when delivered, zero when the guest blocked it.</summary>
    public static readonly IoctlIn<KvmMsi> SignalMsi =
        new("KVM_SIGNAL_MSI", 0xa5, KvmCapability.SignalMsi);

    /// <summary><c>KVM_SET_PMU_EVENT_FILTER</c>; needs <c>KVM_CAP_PMU_EVENT_FILTER</c>. Filters PMU events; the events follow the head.</summary>
    public static readonly IoctlIn<KvmPmuEventFilter> SetPmuEventFilter =
        new("KVM_SET_PMU_EVENT_FILTER", 0xb2, KvmCapability.PmuEventFilter);

    /// <summary><c>KVM_HYPERV_EVENTFD</c>; needs <c>KVM_CAP_HYPERV_EVENTFD</c>. Binds an eventfd to a Hyper-V connection.</summary>
    public static readonly IoctlIn<KvmHypervEventfd> HypervEventfd =
        new("KVM_HYPERV_EVENTFD", 0xbd, KvmCapability.HypervEventfd);

    /// <summary><c>KVM_CLEAR_DIRTY_LOG</c>; needs <c>KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2</c>. Protects the pages again whose bits are set.</summary>
    public static readonly IoctlInOut<KvmClearDirtyLog> ClearDirtyLog =
        new("KVM_CLEAR_DIRTY_LOG", 0xc0, KvmCapability.ManualDirtyLogProtect2);

    /// <summary><c>KVM_X86_SET_MSR_FILTER</c>; needs <c>KVM_CAP_X86_MSR_FILTER</c>. Replaces the MSR filter.</summary>
    public static readonly IoctlIn<KvmMsrFilter> SetMsrFilter =
        new("KVM_X86_SET_MSR_FILTER", 0xc6, KvmCapability.X86MsrFilter);

    /// <summary><c>KVM_RESET_DIRTY_RINGS</c>; needs <c>KVM_CAP_DIRTY_LOG_RING</c>. Collects the harvested entries of all rings; returns how many.</summary>
    public static readonly IoctlNone ResetDirtyRings =
        new("KVM_RESET_DIRTY_RINGS", 0xc7, KvmCapability.DirtyLogRing);

    /// <summary><c>KVM_XEN_HVM_GET_ATTR</c>; needs <c>KVM_CAP_XEN_HVM</c>. Reads a Xen attribute of the VM.</summary>
    public static readonly IoctlInOut<KvmXenHvmAttr> XenHvmGetAttr =
        new("KVM_XEN_HVM_GET_ATTR", 0xc8, KvmCapability.XenHvm);

    /// <summary><c>KVM_XEN_HVM_SET_ATTR</c>; needs <c>KVM_CAP_XEN_HVM</c>. Writes a Xen attribute of the VM.</summary>
    public static readonly IoctlIn<KvmXenHvmAttr> XenHvmSetAttr =
        new("KVM_XEN_HVM_SET_ATTR", 0xc9, KvmCapability.XenHvm);

    /// <summary><c>KVM_XEN_HVM_EVTCHN_SEND</c>; needs <c>KVM_CAP_XEN_HVM</c>. Raises a Xen event channel.</summary>
    public static readonly IoctlIn<KvmIrqRoutingXenEvtchn> XenHvmEvtchnSend =
        new("KVM_XEN_HVM_EVTCHN_SEND", 0xd0, KvmCapability.XenHvm);

    /// <summary><c>KVM_SET_MEMORY_ATTRIBUTES</c>; needs <c>KVM_CAP_MEMORY_ATTRIBUTES</c>. Makes guest-physical pages private or shared.</summary>
    public static readonly IoctlIn<KvmMemoryAttributes> SetMemoryAttributes =
        new("KVM_SET_MEMORY_ATTRIBUTES", 0xd2, KvmCapability.MemoryAttributes);

    /// <summary><c>KVM_CREATE_GUEST_MEMFD</c>; needs <c>KVM_CAP_GUEST_MEMFD</c>. Returns a guest_memfd descriptor.</summary>
    public static readonly IoctlInOut<KvmCreateGuestMemfd> CreateGuestMemfd =
        new("KVM_CREATE_GUEST_MEMFD", 0xd4, KvmCapability.GuestMemfd);

    /// <summary><c>KVM_CREATE_DEVICE</c>; needs <c>KVM_CAP_DEVICE_CTRL</c>. Returns a device descriptor in its argument.</summary>
    public static readonly IoctlInOut<KvmCreateDevice> CreateDevice =
        new("KVM_CREATE_DEVICE", 0xe0, KvmCapability.DeviceCtrl);
}
