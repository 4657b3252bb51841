// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.IoPorts;

/// <summary>
/// The 65536 ports of a VM. An access is routed by its first port alone, however wide it is.
/// </summary>
public interface IPortSpace
{
    /// <summary>Gives a port a handler. Any thread; takes effect for accesses that begin afterwards.</summary>
    /// <param name="port">The port.</param>
    /// <param name="handler">The handler.</param>
    /// <returns>The registration; disposing it detaches the handler (<c>vm_ioport_detach</c>), once.</returns>
    /// <exception cref="Errors.VmmException">EEXIST: the port has a handler; ENOSPC: the VM's limit is reached.</exception>
    [VmmKernelSymbol("vm_ioport_attach")]
    [VmmKernelSymbol("vm_ioport_detach")]
    IDisposable Attach(ushort port, IPortHandler handler);

    /// <summary>
    /// Gives a port a handler of an external driver: as <see cref="Attach"/>, but port 0 is refused and the VM cannot be
    /// reinitialized while it stands.
    /// </summary>
    /// <param name="port">The port, not 0.</param>
    /// <param name="handler">The handler.</param>
    /// <returns>The registration; disposing it removes the hook (<c>vm_ioport_unhook</c>), once.</returns>
    /// <exception cref="Errors.VmmException">EINVAL: port 0; EEXIST; ENOSPC.</exception>
    [VmmKernelSymbol("vm_ioport_hook")]
    [VmmKernelSymbol("vm_ioport_unhook")]
    IDisposable Hook(ushort port, IPortHandler handler);

    /// <summary>Performs an access as the guest would. From the vCPU's owner.</summary>
    /// <param name="vcpu">The vCPU on whose behalf.</param>
    /// <param name="isIn">Whether it reads.</param>
    /// <param name="port">The port.</param>
    /// <param name="bytes">1, 2 or 4.</param>
    /// <param name="value">The value written, or receives the value read.</param>
    /// <returns><see cref="PortOutcome.Unclaimed"/> when the port has no handler, else what the handler says.</returns>
    [VmmKernelSymbol("vm_ioport_access")]
    PortOutcome Access(IVirtualCpu vcpu, bool isIn, ushort port, int bytes, ref uint value);
}
