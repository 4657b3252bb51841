// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>
/// Writes that signal an eventfd instead of leaving the guest (api.rst, KVM_IOEVENTFD), and writes that KVM collects in a ring
/// (KVM_REGISTER_COALESCED_MMIO).
/// </content>
internal sealed partial class KvmVm : IBackendDoorbells
{
    private int _ringPage = -1;

    /// <inheritdoc/>
    public IDisposable? TryAttachDoorbell(in Doorbell doorbell, SafeHandle target)
    {
        bool isOffered = Has(KvmCapability.Ioeventfd) && (doorbell.Length != 0 || Has(KvmCapability.IoeventfdAnyLength));
        if (!isOffered)
        {
            return null;
        }

        KvmIoeventfdFlags flags = (doorbell.Bus == BusKind.Port ? KvmIoeventfdFlags.Pio : KvmIoeventfdFlags.None)
            | (doorbell.Value is not null ? KvmIoeventfdFlags.Datamatch : KvmIoeventfdFlags.None);
        (ulong address, uint length, ulong match) = (doorbell.Address, (uint)doorbell.Length, doorbell.Value.GetValueOrDefault());
        if (!HasRoom(() => _vm.AssignIoeventfd(target, address, length, flags, match)))
        {
            return null;
        }

        return new Attachment(this, () => _vm.DeassignIoeventfd(target, address, length, flags, match));
    }

    /// <inheritdoc/>
    public IDisposable? TryCollect(BusKind bus, ulong first, uint length)
    {
        if (CollectedWritesPage == 0 || (bus == BusKind.Port && !Has(KvmCapability.CoalescedPio)))
        {
            return null;
        }

        KvmCoalescedMmioZone zone = new() { Addr = first, Size = length, Pio = bus == BusKind.Port ? 1u : 0 };
        return HasRoom(() => _vm.RegisterCoalescedMmio(zone))
            ? new Attachment(this, () => _vm.UnregisterCoalescedMmio(zone))
            : null;
    }

    /// <summary>The page of a vCPU's mapping that has the ring of collected writes; 0 where KVM collects none.</summary>
    internal int CollectedWritesPage => _ringPage >= 0 ? _ringPage
        : _ringPage = Math.Max(_vm.CheckExtension(KvmCapability.CoalescedMmio), 0);

    /// <summary>Registers a device on KVM's buses.</summary>
    /// <returns>False when they are full.</returns>
    private static bool HasRoom(Action register)
    {
        try
        {
            register();
            return true;
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.ENOSPC)
        {
            return false;
        }
    }
}
