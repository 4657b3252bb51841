// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Events;

namespace Vmm.Engine.Devices;

/// <summary>A doorbell that somebody attached.</summary>
internal sealed class DoorbellRegistration(DeviceNotifications owner, in Doorbell doorbell, IEventCounter counter)
    : DeviceRegistration(owner), IDoorbellRegistration
{
    public Doorbell Doorbell { get; } = doorbell;

    public IEventCounter Counter { get; } = counter;

    protected override IDisposable? TryAttach(IBackendDoorbells backend) => backend.TryAttachDoorbell(Doorbell, Counter);

    protected override void Remove() => Owner.Remove(this);

    public override string ToString() => $"doorbell at {Doorbell}";
}
