// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Devices;
using Vmm.Engine.Devices;

namespace Vmm.Engine;

/// <content>Writes of the guest that devices learn of without an exit for each.</content>
public sealed partial class VirtualMachine : IDeviceNotifications
{
    private DeviceNotifications? _notifications;

    /// <summary>The doorbells and coalesced ranges, as the run loop sees them; null as long as nobody has registered any.</summary>
    internal DeviceNotifications? Notifications => Volatile.Read(ref _notifications);

    /// <inheritdoc/>
    public IDoorbellRegistration AttachDoorbell(in Doorbell doorbell, SafeHandle target) =>
        RequireNotifications().AttachDoorbell(doorbell, target);

    /// <inheritdoc/>
    public ICoalescedRange Coalesce(BusKind bus, ulong first, ulong length) => RequireNotifications().Coalesce(bus, first, length);

    private DeviceNotifications RequireNotifications() =>
        LazyInitializer.EnsureInitialized(ref _notifications, () => new DeviceNotifications(this))!;
}
