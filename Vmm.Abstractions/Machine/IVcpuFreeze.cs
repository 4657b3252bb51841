// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>
/// Shows that every vCPU of a VM is frozen by the thread that holds it; disposing it lets them go. Obtained from
/// <see cref="IVirtualMachine.FreezeVcpus"/> and required by what must not race against a running guest.
/// </summary>
public interface IVcpuFreeze : IDisposable
{
    /// <summary>The VM whose vCPUs are frozen.</summary>
    IVirtualMachine Machine { get; }
}
