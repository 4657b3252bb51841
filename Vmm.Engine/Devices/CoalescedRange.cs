// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;

namespace Vmm.Engine.Devices;

/// <summary>A range whose writes somebody lets the hypervisor collect.</summary>
internal sealed class CoalescedRange(DeviceNotifications owner, BusKind bus, ulong first, uint length)
    : DeviceRegistration(owner), ICoalescedRange
{
    public BusKind Bus { get; } = bus;

    public ulong First { get; } = first;

    protected override IDisposable? TryAttach(IBackendDoorbells backend) => backend.TryCollect(Bus, First, length);

    protected override void Remove() => Owner.Remove(this);

    public override string ToString() =>
        $"coalesced range of {length} bytes from {(Bus == BusKind.Port ? "port" : "address")} 0x{First:x}";
}
