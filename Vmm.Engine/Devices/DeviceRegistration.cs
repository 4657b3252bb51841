// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;

namespace Vmm.Engine.Devices;

/// <summary>
/// What a device has registered, and the hypervisor's part of it, which ends with the hypervisor's VM and is made again for the next one. Under
/// the lock of <see cref="DeviceNotifications"/>.
/// </summary>
internal abstract class DeviceRegistration(DeviceNotifications owner) : IDisposable
{
    private IDisposable? _hypervisors;
    private int _disposed;

    /// <summary>Whether the hypervisor has taken it.</summary>
    public bool IsTakenByHypervisor => Volatile.Read(ref _hypervisors) is not null;

    protected DeviceNotifications Owner { get; } = owner;

    /// <summary>Offers it to a hypervisor.</summary>
    public void Attach(IBackendVm backend) =>
        Volatile.Write(ref _hypervisors, backend is IBackendDoorbells doorbells ? TryAttach(doorbells) : null);

    /// <summary>Takes it back from the hypervisor.</summary>
    public void Detach()
    {
        _hypervisors?.Dispose();
        Volatile.Write(ref _hypervisors, null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            Remove();
        }
    }

    protected abstract IDisposable? TryAttach(IBackendDoorbells backend);

    protected abstract void Remove();
}
