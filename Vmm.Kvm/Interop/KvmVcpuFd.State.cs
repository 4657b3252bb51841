// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <content>Events, the local APIC, debugging, machine checks, nested state.</content>
internal sealed partial class KvmVcpuFd
{
    /// <summary>KVM_GET_MP_STATE.</summary>
    public KvmMpStateValue GetMpState() => (KvmMpStateValue)Ioctl(KvmRequests.GetMpState).State;

    /// <summary>KVM_SET_MP_STATE.</summary>
    public void SetMpState(KvmMpStateValue state) =>
        Ioctl(KvmRequests.SetMpState, new KvmMpState { State = (uint)state });

    /// <summary>KVM_GET_VCPU_EVENTS.</summary>
    public void GetVcpuEvents(out KvmVcpuEvents events) => Ioctl(KvmRequests.GetVcpuEvents, out events);

    /// <summary>KVM_SET_VCPU_EVENTS.</summary>
    public void SetVcpuEvents(in KvmVcpuEvents events) => Ioctl(KvmRequests.SetVcpuEvents, events);

    /// <summary>KVM_INTERRUPT: queues an external interrupt; with an irqchip inside KVM the kernel answers ENXIO.</summary>
    public void Interrupt(byte vector) => Ioctl(KvmRequests.Interrupt, new KvmInterrupt { Irq = vector });

    /// <summary>KVM_NMI.</summary>
    public void Nmi() => Ioctl(KvmRequests.Nmi);

    /// <summary>KVM_SMI.</summary>
    public void Smi() => Ioctl(KvmRequests.Smi);

    /// <summary>KVM_GET_LAPIC; needs the local APIC inside KVM.</summary>
    public void GetLapic(out KvmLapicState state) => Ioctl(KvmRequests.GetLapic, out state);

    /// <summary>KVM_SET_LAPIC; needs the local APIC inside KVM.</summary>
    public void SetLapic(in KvmLapicState state) => Ioctl(KvmRequests.SetLapic, state);

    /// <summary>KVM_SET_GUEST_DEBUG; all zero switches debugging off.</summary>
    public void SetGuestDebug(in KvmGuestDebug debug) => Ioctl(KvmRequests.SetGuestDebug, debug);

    /// <summary>KVM_TRANSLATE: walks the guest's page tables; <c>Valid</c> says whether it found a page.</summary>
    public KvmTranslation Translate(ulong linearAddress)
    {
        KvmTranslation translation = new() { LinearAddress = linearAddress };
        Ioctl(KvmRequests.Translate, ref translation);
        return translation;
    }

    /// <summary>KVM_TPR_ACCESS_REPORTING; needs the local APIC inside KVM.</summary>
    public void TprAccessReporting(bool enable)
    {
        KvmTprAccessCtl control = new() { Enabled = enable ? 1u : 0u };
        Ioctl(KvmRequests.TprAccessReporting, ref control);
    }

    /// <summary>KVM_SET_VAPIC_ADDR; zero takes the page away.</summary>
    public void SetVapicAddr(ulong address) => Ioctl(KvmRequests.SetVapicAddr, new KvmVapicAddr { Addr = address });

    /// <summary>KVM_KVMCLOCK_CTRL: tells the guest's watchdogs that it was paused; EINVAL until the guest uses kvmclock.</summary>
    public void KvmclockCtrl() => Ioctl(KvmRequests.KvmclockCtrl);

    /// <summary>KVM_X86_SETUP_MCE.</summary>
    /// <param name="capabilities">As IA32_MCG_CAP; the banks in the low byte.</param>
    public void SetupMce(ulong capabilities) => Ioctl(KvmRequests.SetupMce, capabilities);

    /// <summary>KVM_X86_SET_MCE.</summary>
    public void SetMce(in KvmX86Mce machineCheck) => Ioctl(KvmRequests.SetMce, machineCheck);

    /// <summary>KVM_GET_NESTED_STATE; needs KVM_CAP_NESTED_STATE.</summary>
    /// <returns>The head and the vendor's data.</returns>
    public byte[] GetNestedState()
    {
        int length = ProbeExtension(KvmCapability.NestedState);
        if (length <= 0)
        {
            throw KvmThrow.Missing(KvmRequests.GetNestedState.Name, KvmCapability.NestedState);
        }

        byte[] state = new byte[Math.Max(length, Unsafe.SizeOf<KvmNestedState>())];
        ref KvmNestedState head = ref MemoryMarshal.AsRef<KvmNestedState>(state.AsSpan());
        head.Size = (uint)state.Length;
        Checked(
            KvmRequests.GetNestedState.Name,
            KvmRequests.GetNestedState.Capability,
            TryIoctl(KvmRequests.GetNestedState.Code, state));
        return state[..(int)Math.Min(head.Size, (uint)state.Length)];
    }

    /// <summary>KVM_SET_NESTED_STATE; needs KVM_CAP_NESTED_STATE.</summary>
    /// <param name="state">What <see cref="GetNestedState"/> returned.</param>
    /// <exception cref="ArgumentException">The head promises more than there is.</exception>
    public unsafe void SetNestedState(ReadOnlySpan<byte> state)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(state.Length, Unsafe.SizeOf<KvmNestedState>(), nameof(state));
        uint promised = MemoryMarshal.Read<KvmNestedState>(state).Size;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(promised, (uint)state.Length, nameof(state));

        // SAFETY: pinned for the call; the kernel reads at most the promised size, which was checked.
        fixed (byte* pointer = state)
        {
            Checked(
                KvmRequests.SetNestedState.Name,
                KvmRequests.SetNestedState.Capability,
                TryIoctl(KvmRequests.SetNestedState.Code, pointer));
        }
    }

    /// <summary>KVM_PRE_FAULT_MEMORY: populates guest-physical pages; called again until nothing is left.</summary>
    /// <param name="address">The first guest-physical address, a page multiple.</param>
    /// <param name="size">Bytes, a page multiple.</param>
    /// <returns>The bytes that are left; zero when all is done.</returns>
    public unsafe ulong PreFaultMemory(ulong address, ulong size)
    {
        KvmPreFaultMemory range = new() { Gpa = address, Size = size };

        // SAFETY: the local is on this stack for the call.
        int result = TryIoctl(KvmRequests.PreFaultMemory.Code, &range);

        // A pending signal, or a slot that is changing, stops the kernel before the first page: nothing is done yet.
        if (result is -(int)VmmError.EINTR or -(int)VmmError.EAGAIN)
        {
            return range.Size;
        }

        Checked(KvmRequests.PreFaultMemory.Name, KvmRequests.PreFaultMemory.Capability, result);
        return range.Size;
    }

    /// <summary>KVM_XEN_VCPU_GET_ATTR: the type goes in, the value comes out.</summary>
    public void XenVcpuGetAttr(ref KvmXenVcpuAttr attribute) => Ioctl(KvmRequests.XenVcpuGetAttr, ref attribute);

    /// <summary>KVM_XEN_VCPU_SET_ATTR.</summary>
    public void XenVcpuSetAttr(in KvmXenVcpuAttr attribute) => Ioctl(KvmRequests.XenVcpuSetAttr, attribute);
}
