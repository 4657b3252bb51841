// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.IoPorts;

/// <summary>Answers accesses to a port (<c>ioport_handler_t</c>).</summary>
/// <remarks>
/// Called on the vCPU's thread, which owns the vCPU, possibly on several vCPUs at once, with no lock held but that of a coalesced range. Must
/// not throw. Cannot run the vCPU nor freeze, change or destroy the VM (<see cref="InvalidOperationException"/>): that is for the thread that
/// runs the vCPU, behind the run.
/// </remarks>
[VmmKernelSymbol("ioport_handler_t")]
public interface IPortHandler
{
    /// <summary>The guest reads.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="port">The port.</param>
    /// <param name="bytes">1, 2 or 4.</param>
    /// <param name="value">The value; bytes beyond the width are ignored. Used only when handled.</param>
    /// <returns>How the access ended.</returns>
    PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value);

    /// <summary>The guest writes.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="port">The port.</param>
    /// <param name="bytes">1, 2 or 4.</param>
    /// <param name="value">The value, zero-extended.</param>
    /// <returns>How the access ended.</returns>
    PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value);
}
