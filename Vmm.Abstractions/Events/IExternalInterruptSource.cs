// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>
/// Whoever answers the interrupt-acknowledge cycle of an 8259-style external interrupt: the engine's 8259 pair, or a test.
/// </summary>
public interface IExternalInterruptSource
{
    /// <summary>
    /// Gives the vector of the interrupt with the highest priority and marks it as in service. Called on the vCPU's
    /// thread, right before the interrupt is delivered.
    /// </summary>
    /// <returns>The vector; the spurious one when the request has gone meanwhile.</returns>
    byte Acknowledge();
}
