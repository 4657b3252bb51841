// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>A cascaded pair of 8259 interrupt controllers (<c>struct vatpic</c>). Any thread.</summary>
public interface IAtPic : IVmmDataSource
{
    /// <summary>Asserts an interrupt request once more.</summary>
    /// <param name="irq">0 to 15.</param>
    /// <exception cref="VmmException">EINVAL: no such request; E2BIG: too many assertions.</exception>
    void AssertIrq(int irq);

    /// <summary>Takes one assertion back.</summary>
    /// <param name="irq">0 to 15.</param>
    /// <exception cref="VmmException">EINVAL: no such request; ERANGE: it is not asserted.</exception>
    void DeassertIrq(int irq);

    /// <summary>Asserts a request and takes it back.</summary>
    /// <param name="irq">0 to 15.</param>
    /// <exception cref="VmmException">EINVAL: no such request.</exception>
    void PulseIrq(int irq);

    /// <summary>Sets a request to edge or level trigger (ELCR).</summary>
    /// <param name="irq">0 to 15.</param>
    /// <param name="level">Level trigger; refused for 0, 1, 2, 8 and 13.</param>
    /// <exception cref="VmmException">EINVAL: no such request, or level trigger where it is refused.</exception>
    void SetTrigger(int irq, bool level);
}
