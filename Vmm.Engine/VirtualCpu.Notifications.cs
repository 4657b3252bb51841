// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;

namespace Vmm.Engine;

/// <content>Doorbells that the guest rings, and writes that the hypervisor has collected.</content>
public sealed partial class VirtualCpu
{
    private bool TryRing(BusKind bus, ulong address, int bytes, ulong value) =>
        _machine.Notifications is { } notifications && notifications.TryRing(bus, address, bytes, value);

    private bool HasDoorbell(BusKind bus, ulong address) =>
        _machine.Notifications is { } notifications && notifications.HasDoorbell(bus, address);

    /// <summary>Whether there is a doorbell at a guest-physical address.</summary>
    internal bool IsDoorbell(ulong address) => HasDoorbell(BusKind.Memory, address);

    /// <summary>
    /// Hands the writes that the hypervisor has collected to their handlers, before anything else that the guest did is looked at. Those of other
    /// vCPUs may go on coming: what was there at the beginning is what this vCPU waits for.
    /// </summary>
    private void DeliverCollected(IBackendVcpu backend)
    {
        if (_machine.Notifications is { MayHaveCollected: true } notifications && backend is IBackendCollectedWrites source)
        {
            lock (notifications.DeliveryLock)
            {
                for (int left = source.Capacity; left > 0 && source.TryTake(out CollectedWrite write); left--)
                {
                    Deliver(write);
                }
            }
        }
    }

    private void Deliver(in CollectedWrite write)
    {
        if (write.Bus == BusKind.Port)
        {
            ushort port = (ushort)write.Address;
            IPortHandler? handler = _machine.PortTable.Find(port);
            if (handler is null || handler.Write(this, port, write.Length, (uint)write.Data) != PortOutcome.Handled)
            {
                UnclaimedPort(port);
            }
        }
        else if (TryFindMmio(write.Address, write.Length, out RangeTable<IMmioHandler>.Entry entry))
        {
            entry.Value.Write(this, write.Address - entry.First, write.Length, write.Data);
        }
        else
        {
            UnclaimedMemory(write.Address);
        }
    }
}
