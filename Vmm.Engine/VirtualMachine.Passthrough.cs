// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;

namespace Vmm.Engine;

/// <content>
/// Devices of the host in the guest. No hypervisor backend makes a domain for them, so none is ever assigned: what asks for one is refused as
/// the header's functions refuse it on a host without an IOMMU.
/// </content>
public sealed partial class VirtualMachine : IDevicePassthrough
{
    /// <inheritdoc/>
    public SafeHandle? IommuDomain
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            return null;
        }
    }

    /// <inheritdoc/>
    public bool CheckIommu()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return false;
    }

    /// <inheritdoc/>
    public bool IsPassthroughDevice(PciFunction function) => _options.PassthroughDevices.Contains(function);

    /// <inheritdoc/>
    public void AssignDevice(IVcpuFreeze freeze, SafeHandle device)
    {
        RequireFreeze(freeze);
        ArgumentNullException.ThrowIfNull(device);
        EngineThrow.Refuse(
            "vm_assign_pptdev", VmmError.ENXIO, $"{HypervisorBackend.Description.Name} makes no domain for devices of the host");
    }

    /// <inheritdoc/>
    public void UnassignDevice(IVcpuFreeze freeze, SafeHandle device)
    {
        RequireFreeze(freeze);
        ArgumentNullException.ThrowIfNull(device);
        EngineThrow.Refuse("vm_unassign_pptdev", VmmError.EBADF, "the VM has no device of the host");
    }
}
