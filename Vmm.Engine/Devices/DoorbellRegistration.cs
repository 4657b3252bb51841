// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;

namespace Vmm.Engine.Devices;

/// <summary>A doorbell that somebody attached.</summary>
internal sealed class DoorbellRegistration : DeviceRegistration, IDoorbellRegistration
{
    private readonly IHostEvents _host;
    private readonly SafeHandle _target;

    /// <summary>Keeps the descriptor open from here on.</summary>
    /// <exception cref="ObjectDisposedException">It is disposed.</exception>
    public DoorbellRegistration(DeviceNotifications owner, IHostEvents host, in Doorbell doorbell, SafeHandle target)
        : base(owner)
    {
        _host = host;
        _target = target;
        Doorbell = doorbell;
        bool held = false;
        target.DangerousAddRef(ref held);
    }

    public Doorbell Doorbell { get; }

    /// <summary>Adds one to the eventfd. On any vCPU's thread, and not after <see cref="Release"/>.</summary>
    public void Ring()
    {
        try
        {
            _host.SignalEvent(_target);
        }
        catch (VmmException full) when (full.Error == VmmError.EAGAIN)
        {
            // Whoever waits for the counter has been told.
            Owner.NoteFull(this);
        }
        catch (ObjectDisposedException)
        {
            // The registration ends at this moment: its owner does not wait for this write any more.
            Owner.NoteFull(this);
        }
    }

    /// <summary>Lets the descriptor go.</summary>
    public void Release() => _target.DangerousRelease();

    public override string ToString() => $"doorbell at {Doorbell}";

    protected override IDisposable? TryAttach(IBackendDoorbells backend) => backend.TryAttachDoorbell(Doorbell, _target);

    protected override void Remove() => Owner.Remove(this);
}
