// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <content>Interrupt controllers, the PIT, routing and eventfds.</content>
internal sealed partial class KvmVmFd
{
    /// <summary>KVM_CREATE_IRQCHIP: PICs, I/O APIC and local APICs inside KVM; before the first vCPU.</summary>
    /// <exception cref="VmmException">EEXIST: there is one already; EINVAL: a vCPU exists.</exception>
    public void CreateIrqchip() => Ioctl(KvmRequests.CreateIrqchip);

    /// <summary>KVM_GET_IRQCHIP.</summary>
    public void GetIrqchip(KvmIrqchipId chip, out KvmIrqchip state)
    {
        state = default;
        state.ChipId = (uint)chip;
        Ioctl(KvmRequests.GetIrqchip, ref state);
    }

    /// <summary>KVM_SET_IRQCHIP; the chip is named in the state.</summary>
    public void SetIrqchip(in KvmIrqchip state) => Ioctl(KvmRequests.SetIrqchip, state);

    /// <summary>KVM_IRQ_LINE.</summary>
    /// <param name="gsi">The global system interrupt.</param>
    /// <param name="level">The line's level.</param>
    public void IrqLine(uint gsi, bool level) =>
        Ioctl(KvmRequests.IrqLine, new KvmIrqLevel { Irq = gsi, Level = level ? 1u : 0u });

    /// <summary>KVM_IRQ_LINE_STATUS.</summary>
    /// <returns>Above zero: delivered to so many; zero: coalesced; below zero: ignored (masked).</returns>
    public int IrqLineStatus(uint gsi, bool level)
    {
        KvmIrqLevel argument = new() { Irq = gsi, Level = level ? 1u : 0u };
        Ioctl(KvmRequests.IrqLineStatus, ref argument);
        return argument.Status;
    }

    /// <summary>KVM_SET_GSI_ROUTING: replaces the whole table.</summary>
    public void SetGsiRouting(ReadOnlySpan<KvmIrqRoutingEntry> entries)
    {
        using VariableArgument<KvmIrqRouting, KvmIrqRoutingEntry> argument = new(entries.Length);
        argument.Head.Nr = (uint)entries.Length;
        entries.CopyTo(argument.Elements);
        Checked(
            KvmRequests.SetGsiRouting.Name,
            KvmRequests.SetGsiRouting.Capability,
            TryIoctl(KvmRequests.SetGsiRouting.Code, argument.Bytes));
    }

    /// <summary>KVM_IRQFD: writes to the eventfd raise the GSI.</summary>
    /// <param name="trigger">The eventfd.</param>
    /// <param name="gsi">The global system interrupt.</param>
    /// <param name="resample">
    /// Null: the line rises and falls. Else it stays up until the guest ends the interrupt; this eventfd is signalled then, after KVM has
    /// lowered the line.
    /// </param>
    public void AssignIrqfd(SafeHandle trigger, uint gsi, SafeHandle? resample = null) =>
        Irqfd(trigger, gsi, resample is null ? KvmIrqfdFlags.None : KvmIrqfdFlags.Resample, resample);

    /// <summary>KVM_IRQFD with the deassign flag.</summary>
    public void DeassignIrqfd(SafeHandle trigger, uint gsi) => Irqfd(trigger, gsi, KvmIrqfdFlags.Deassign, null);

    /// <summary>KVM_IOEVENTFD: writes of the guest signal the eventfd instead of leaving the guest.</summary>
    /// <param name="target">Is signalled.</param>
    /// <param name="address">The guest-physical address, or the port.</param>
    /// <param name="length">1, 2, 4 or 8 bytes; zero for any length where KVM_CAP_IOEVENTFD_ANY_LENGTH is there.</param>
    /// <param name="flags">Port instead of memory, and whether the value must match.</param>
    /// <param name="match">The value that counts.</param>
    public void AssignIoeventfd(SafeHandle target, ulong address, uint length, KvmIoeventfdFlags flags, ulong match = 0) =>
        Ioeventfd(target, address, length, flags & ~KvmIoeventfdFlags.Deassign, match);

    /// <summary>KVM_IOEVENTFD with the deassign flag; the other arguments as they were assigned.</summary>
    public void DeassignIoeventfd(SafeHandle target, ulong address, uint length, KvmIoeventfdFlags flags, ulong match = 0) =>
        Ioeventfd(target, address, length, flags | KvmIoeventfdFlags.Deassign, match);

    /// <summary>KVM_SIGNAL_MSI; needs an irqchip inside KVM.</summary>
    /// <returns>Whether it was delivered; false: the guest blocked it.</returns>
    public bool SignalMsi(in KvmMsi message) => Ioctl(KvmRequests.SignalMsi, message) > 0;

    /// <summary>KVM_CREATE_PIT2; needs an irqchip inside KVM.</summary>
    public void CreatePit2(KvmPitConfigFlags flags) =>
        Ioctl(KvmRequests.CreatePit2, new KvmPitConfig { Flags = (uint)flags });

    /// <summary>KVM_GET_PIT2.</summary>
    public KvmPitState2 GetPit2() => Ioctl(KvmRequests.GetPit2);

    /// <summary>KVM_SET_PIT2.</summary>
    public void SetPit2(in KvmPitState2 state) => Ioctl(KvmRequests.SetPit2, state);

    /// <summary>KVM_REINJECT_CONTROL: whether PIT ticks that the guest missed are injected again.</summary>
    public void ReinjectControl(bool reinject) =>
        Ioctl(KvmRequests.ReinjectControl, new KvmReinjectControl { PitReinject = reinject ? (byte)1 : (byte)0 });

    private void Irqfd(SafeHandle trigger, uint gsi, KvmIrqfdFlags flags, SafeHandle? resample)
    {
        using DescriptorUse triggerUse = new(trigger);
        using DescriptorUse resampleUse = new(resample);
        KvmIrqfd argument = new()
        {
            Fd = (uint)triggerUse.Number,
            Gsi = gsi,
            Flags = (uint)flags,
            Resamplefd = resample is null ? 0 : (uint)resampleUse.Number,
        };
        Ioctl(KvmRequests.Irqfd, argument, resample is null ? null : KvmCapability.IrqfdResample);
    }

    private void Ioeventfd(SafeHandle target, ulong address, uint length, KvmIoeventfdFlags flags, ulong match)
    {
        using DescriptorUse use = new(target);
        KvmIoeventfd argument = new()
        {
            Datamatch = match,
            Addr = address,
            Len = length,
            Fd = use.Number,
            Flags = (uint)flags,
        };
        Ioctl(KvmRequests.Ioeventfd, argument, length == 0 ? KvmCapability.IoeventfdAnyLength : null);
    }
}
