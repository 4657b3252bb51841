// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>The ACPI power-management timer (<c>struct vpmtmr</c>).</summary>
public interface IPmTimer : IVmmDataSource
{
    /// <summary>Puts the timer at a port; putting it where it is already does nothing.</summary>
    /// <param name="port">The port.</param>
    /// <exception cref="VmmException">EEXIST: the port is taken; ENOSPC: the VM's limit of ports is reached.</exception>
    void Locate(ushort port);
}
