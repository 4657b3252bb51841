// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Machine;

/// <summary>Creates VMs over one backend.</summary>
public interface IVirtualMachineFactory
{
    /// <summary>
    /// Creates a VM: one package with one core with one thread, no memory, no active vCPU, every vCPU halted.
    /// </summary>
    /// <param name="options">Name, flags and limits.</param>
    /// <returns>The VM, owned by the caller.</returns>
    /// <exception cref="VmmException">
    /// EINVAL: the name is empty or contains a slash, or a limit is out of range; ENAMETOOLONG: the name is longer than
    /// 127 characters; EEXIST: a VM of this factory that is not disposed has the name; ENXIO: the hypervisor is gone; ENOTSUP: the host lacks what a flag needs; ENOMEM.
    /// </exception>
    [VmmKernelSymbol("vm_create")]
    IVirtualMachine Create(VirtualMachineOptions options);
}
