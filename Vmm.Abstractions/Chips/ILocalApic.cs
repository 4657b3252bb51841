// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>A local APIC (<c>struct vlapic</c>). Any thread.</summary>
[VmmKernelSymbol("vlapic")]
public interface ILocalApic : IVmmDataSource
{
    /// <summary>Makes an interrupt pending.</summary>
    /// <param name="vector">16 to 255.</param>
    /// <param name="level">Whether it is level-triggered.</param>
    /// <exception cref="VmmException">EINVAL: the vector is below 16.</exception>
    void SetInterrupt(byte vector, bool level);

    /// <summary>Fires a local interrupt.</summary>
    /// <param name="index">LINT0 0, LINT1 1, timer 2, error 3, performance 4, thermal 5, CMCI 6.</param>
    /// <exception cref="VmmException">EINVAL: no such index.</exception>
    void SetLocalInterrupt(int index);
}
