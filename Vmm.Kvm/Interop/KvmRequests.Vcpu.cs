// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <content>Requests of a vCPU descriptor.</content>
internal static partial class KvmRequests
{
    /// <summary><c>KVM_RUN</c>; needs no capability. Runs the guest on the calling thread until an exit.</summary>
    public static readonly IoctlNone Run =
        new("KVM_RUN", 0x80, null);

    /// <summary><c>KVM_GET_REGS</c>; needs no capability. Reads the general registers.</summary>
    public static readonly IoctlOut<KvmRegs> GetRegs =
        new("KVM_GET_REGS", 0x81, null);

    /// <summary><c>KVM_SET_REGS</c>; needs no capability. Writes the general registers; clears a pending exception.</summary>
    public static readonly IoctlIn<KvmRegs> SetRegs =
        new("KVM_SET_REGS", 0x82, null);

    /// <summary><c>KVM_GET_SREGS</c>; needs no capability. Reads the system registers.</summary>
    public static readonly IoctlOut<KvmSregs> GetSregs =
        new("KVM_GET_SREGS", 0x83, null);

    /// <summary><c>KVM_SET_SREGS</c>; needs no capability. Writes the system registers.</summary>
    public static readonly IoctlIn<KvmSregs> SetSregs =
        new("KVM_SET_SREGS", 0x84, null);

    /// <summary><c>KVM_TRANSLATE</c>; needs no capability. Walks the guest's page tables.</summary>
    public static readonly IoctlInOut<KvmTranslation> Translate =
        new("KVM_TRANSLATE", 0x85, null);

    /// <summary><c>KVM_INTERRUPT</c>; needs no capability. Queues an external interrupt; only without an irqchip inside KVM.</summary>
    public static readonly IoctlIn<KvmInterrupt> Interrupt =
        new("KVM_INTERRUPT", 0x86, null);

    /// <summary><c>KVM_SET_MSRS</c>; needs no capability. Writes MSRs; returns how many were written before one was refused.</summary>
    public static readonly IoctlIn<KvmMsrs> SetMsrs =
        new("KVM_SET_MSRS", 0x89, null);

    /// <summary><c>KVM_SET_SIGNAL_MASK</c>; needs no capability. The signal mask in force inside KVM_RUN; the set follows the head.</summary>
    public static readonly IoctlIn<KvmSignalMask> SetSignalMask =
        new("KVM_SET_SIGNAL_MASK", 0x8b, null);

    /// <summary><c>KVM_GET_FPU</c>; needs no capability. Reads x87 and SSE state.</summary>
    public static readonly IoctlOut<KvmFpu> GetFpu =
        new("KVM_GET_FPU", 0x8c, null);

    /// <summary><c>KVM_SET_FPU</c>; needs no capability. Writes x87 and SSE state.</summary>
    public static readonly IoctlIn<KvmFpu> SetFpu =
        new("KVM_SET_FPU", 0x8d, null);

    /// <summary><c>KVM_GET_LAPIC</c>; needs <c>KVM_CAP_IRQCHIP</c>. Reads the local APIC inside KVM.</summary>
    public static readonly IoctlOut<KvmLapicState> GetLapic =
        new("KVM_GET_LAPIC", 0x8e, KvmCapability.Irqchip);

    /// <summary><c>KVM_SET_LAPIC</c>; needs <c>KVM_CAP_IRQCHIP</c>. Writes the local APIC inside KVM.</summary>
    public static readonly IoctlIn<KvmLapicState> SetLapic =
        new("KVM_SET_LAPIC", 0x8f, KvmCapability.Irqchip);

    /// <summary><c>KVM_SET_CPUID2</c>; needs <c>KVM_CAP_EXT_CPUID</c>. Defines CPUID; the entries follow the head.</summary>
    public static readonly IoctlIn<KvmCpuid2> SetCpuid2 =
        new("KVM_SET_CPUID2", 0x90, KvmCapability.ExtCpuid);

    /// <summary><c>KVM_GET_CPUID2</c>; needs <c>KVM_CAP_EXT_CPUID</c>. Reads CPUID back.</summary>
    public static readonly IoctlInOut<KvmCpuid2> GetCpuid2 =
        new("KVM_GET_CPUID2", 0x91, KvmCapability.ExtCpuid);

    /// <summary><c>KVM_TPR_ACCESS_REPORTING</c>; needs <c>KVM_CAP_VAPIC</c>. Reports accesses to the task priority.</summary>
    public static readonly IoctlInOut<KvmTprAccessCtl> TprAccessReporting =
        new("KVM_TPR_ACCESS_REPORTING", 0x92, KvmCapability.Vapic);

    /// <summary><c>KVM_SET_VAPIC_ADDR</c>; needs <c>KVM_CAP_VAPIC</c>. Places the virtual-APIC page.</summary>
    public static readonly IoctlIn<KvmVapicAddr> SetVapicAddr =
        new("KVM_SET_VAPIC_ADDR", 0x93, KvmCapability.Vapic);

    /// <summary><c>KVM_GET_MP_STATE</c>; needs <c>KVM_CAP_MP_STATE</c>. Reads the multiprocessing state.</summary>
    public static readonly IoctlOut<KvmMpState> GetMpState =
        new("KVM_GET_MP_STATE", 0x98, KvmCapability.MpState);

    /// <summary><c>KVM_SET_MP_STATE</c>; needs <c>KVM_CAP_MP_STATE</c>. Writes the multiprocessing state.</summary>
    public static readonly IoctlIn<KvmMpState> SetMpState =
        new("KVM_SET_MP_STATE", 0x99, KvmCapability.MpState);

    /// <summary><c>KVM_NMI</c>; needs <c>KVM_CAP_USER_NMI</c>. Queues an NMI.</summary>
    public static readonly IoctlNone Nmi =
        new("KVM_NMI", 0x9a, KvmCapability.UserNmi);

    /// <summary><c>KVM_SET_GUEST_DEBUG</c>; needs <c>KVM_CAP_SET_GUEST_DEBUG</c>. Arms single step and breakpoints.</summary>
    public static readonly IoctlIn<KvmGuestDebug> SetGuestDebug =
        new("KVM_SET_GUEST_DEBUG", 0x9b, KvmCapability.SetGuestDebug);

    /// <summary><c>KVM_X86_SETUP_MCE</c>; needs <c>KVM_CAP_MCE</c>. Defines the machine-check banks.</summary>
    public static readonly IoctlIn<ulong> SetupMce =
        new("KVM_X86_SETUP_MCE", 0x9c, KvmCapability.Mce);

    /// <summary><c>KVM_X86_SET_MCE</c>; needs <c>KVM_CAP_MCE</c>. Injects a machine-check event.</summary>
    public static readonly IoctlIn<KvmX86Mce> SetMce =
        new("KVM_X86_SET_MCE", 0x9e, KvmCapability.Mce);

    /// <summary><c>KVM_GET_VCPU_EVENTS</c>; needs <c>KVM_CAP_VCPU_EVENTS</c>. Reads pending events.</summary>
    public static readonly IoctlOut<KvmVcpuEvents> GetVcpuEvents =
        new("KVM_GET_VCPU_EVENTS", 0x9f, KvmCapability.VcpuEvents);

    /// <summary><c>KVM_SET_VCPU_EVENTS</c>; needs <c>KVM_CAP_VCPU_EVENTS</c>. Writes pending events.</summary>
    public static readonly IoctlIn<KvmVcpuEvents> SetVcpuEvents =
        new("KVM_SET_VCPU_EVENTS", 0xa0, KvmCapability.VcpuEvents);

    /// <summary><c>KVM_GET_DEBUGREGS</c>; needs <c>KVM_CAP_DEBUGREGS</c>. Reads the debug registers.</summary>
    public static readonly IoctlOut<KvmDebugregs> GetDebugregs =
        new("KVM_GET_DEBUGREGS", 0xa1, KvmCapability.Debugregs);

    /// <summary><c>KVM_SET_DEBUGREGS</c>; needs <c>KVM_CAP_DEBUGREGS</c>. Writes the debug registers.</summary>
    public static readonly IoctlIn<KvmDebugregs> SetDebugregs =
        new("KVM_SET_DEBUGREGS", 0xa2, KvmCapability.Debugregs);

    /// <summary><c>KVM_GET_XSAVE</c>; needs <c>KVM_CAP_XSAVE</c>. Reads the extended state, classic size.</summary>
    public static readonly IoctlOut<KvmXsave> GetXsave =
        new("KVM_GET_XSAVE", 0xa4, KvmCapability.Xsave);

    /// <summary><c>KVM_SET_XSAVE</c>; needs <c>KVM_CAP_XSAVE</c>. Writes the extended state; reads as many bytes as KVM_CAP_XSAVE2 says.</summary>
    public static readonly IoctlIn<KvmXsave> SetXsave =
        new("KVM_SET_XSAVE", 0xa5, KvmCapability.Xsave);

    /// <summary><c>KVM_GET_XCRS</c>; needs <c>KVM_CAP_XCRS</c>. Reads the extended control registers.</summary>
    public static readonly IoctlOut<KvmXcrs> GetXcrs =
        new("KVM_GET_XCRS", 0xa6, KvmCapability.Xcrs);

    /// <summary><c>KVM_SET_XCRS</c>; needs <c>KVM_CAP_XCRS</c>. Writes the extended control registers.</summary>
    public static readonly IoctlIn<KvmXcrs> SetXcrs =
        new("KVM_SET_XCRS", 0xa7, KvmCapability.Xcrs);

    /// <summary><c>KVM_GET_ONE_REG</c>; needs <c>KVM_CAP_ONE_REG</c>. Writes through the value address in its argument, which itself is only read.</summary>
    public static readonly IoctlIn<KvmOneReg> GetOneReg =
        new("KVM_GET_ONE_REG", 0xab, KvmCapability.OneReg);

    /// <summary><c>KVM_SET_ONE_REG</c>; needs <c>KVM_CAP_ONE_REG</c>. Writes one register.</summary>
    public static readonly IoctlIn<KvmOneReg> SetOneReg =
        new("KVM_SET_ONE_REG", 0xac, KvmCapability.OneReg);

    /// <summary><c>KVM_KVMCLOCK_CTRL</c>; needs <c>KVM_CAP_KVMCLOCK_CTRL</c>. Tells the guest that it was paused.</summary>
    public static readonly IoctlNone KvmclockCtrl =
        new("KVM_KVMCLOCK_CTRL", 0xad, KvmCapability.KvmclockCtrl);

    /// <summary><c>KVM_GET_REG_LIST</c>; needs <c>KVM_CAP_ONE_REG</c>. Lists the registers of the ONE_REG interface.</summary>
    public static readonly IoctlInOut<KvmRegList> GetRegList =
        new("KVM_GET_REG_LIST", 0xb0, KvmCapability.OneReg);

    /// <summary><c>KVM_SMI</c>; needs <c>KVM_CAP_X86_SMM</c>. Queues a system-management interrupt.</summary>
    public static readonly IoctlNone Smi =
        new("KVM_SMI", 0xb7, KvmCapability.X86Smm);

    /// <summary><c>KVM_GET_NESTED_STATE</c>; needs <c>KVM_CAP_NESTED_STATE</c>. Reads the nested-virtualization state; its size goes in.</summary>
    public static readonly IoctlInOut<KvmNestedState> GetNestedState =
        new("KVM_GET_NESTED_STATE", 0xbe, KvmCapability.NestedState);

    /// <summary><c>KVM_SET_NESTED_STATE</c>; needs <c>KVM_CAP_NESTED_STATE</c>. Writes the nested-virtualization state.</summary>
    public static readonly IoctlIn<KvmNestedState> SetNestedState =
        new("KVM_SET_NESTED_STATE", 0xbf, KvmCapability.NestedState);

    /// <summary><c>KVM_XEN_VCPU_GET_ATTR</c>; needs <c>KVM_CAP_XEN_HVM</c>. Reads a Xen attribute of the vCPU.</summary>
    public static readonly IoctlInOut<KvmXenVcpuAttr> XenVcpuGetAttr =
        new("KVM_XEN_VCPU_GET_ATTR", 0xca, KvmCapability.XenHvm);

    /// <summary><c>KVM_XEN_VCPU_SET_ATTR</c>; needs <c>KVM_CAP_XEN_HVM</c>. Writes a Xen attribute of the vCPU.</summary>
    public static readonly IoctlIn<KvmXenVcpuAttr> XenVcpuSetAttr =
        new("KVM_XEN_VCPU_SET_ATTR", 0xcb, KvmCapability.XenHvm);

    /// <summary><c>KVM_GET_SREGS2</c>; needs <c>KVM_CAP_SREGS2</c>. Reads the system registers with the PDPTRs.</summary>
    public static readonly IoctlOut<KvmSregs2> GetSregs2 =
        new("KVM_GET_SREGS2", 0xcc, KvmCapability.Sregs2);

    /// <summary><c>KVM_SET_SREGS2</c>; needs <c>KVM_CAP_SREGS2</c>. Writes the system registers with the PDPTRs.</summary>
    public static readonly IoctlIn<KvmSregs2> SetSregs2 =
        new("KVM_SET_SREGS2", 0xcd, KvmCapability.Sregs2);

    /// <summary><c>KVM_GET_XSAVE2</c>; needs <c>KVM_CAP_XSAVE2</c>. Reads the extended state, as many bytes as KVM_CHECK_EXTENSION(KVM_CAP_XSAVE2) says.</summary>
    public static readonly IoctlOut<KvmXsave> GetXsave2 =
        new("KVM_GET_XSAVE2", 0xcf, KvmCapability.Xsave2);

    /// <summary><c>KVM_PRE_FAULT_MEMORY</c>; needs <c>KVM_CAP_PRE_FAULT_MEMORY</c>. Populates guest-physical pages ahead of their first use.</summary>
    public static readonly IoctlInOut<KvmPreFaultMemory> PreFaultMemory =
        new("KVM_PRE_FAULT_MEMORY", 0xd5, KvmCapability.PreFaultMemory);
}
