// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>The ring of writes that KVM has collected, which every vCPU of a VM maps.</content>
internal sealed partial class KvmVcpu : IBackendCollectedWrites
{
    /// <inheritdoc/>
    public int Capacity => CoalescedRing.Capacity;

    /// <inheritdoc/>
    public bool TryTake(out CollectedWrite write)
    {
        write = default;
        if (_vm.CollectedWritesPage == 0 || !_page.CoalescedRing(_vm.CollectedWritesPage).TryTake(out KvmCoalescedMmio entry))
        {
            return false;
        }

        int length = (int)Math.Clamp(entry.Len, 1, sizeof(ulong));
        ulong data = MemoryMarshal.Read<ulong>(entry.Data) & (ulong.MaxValue >> (64 - (length * 8)));
        write = new CollectedWrite(entry.Pio != 0 ? BusKind.Port : BusKind.Memory, entry.PhysAddr, length, data);
        return true;
    }
}
