// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>
/// The wire from a device to an interrupt controller. A device is given its line and never names a controller or number.
/// </summary>
public interface IInterruptLine
{
    /// <summary>Drives the wire. May be called from any thread; setting the present level again does nothing.</summary>
    /// <param name="asserted">Whether the device asks for service.</param>
    void SetLevel(bool asserted);
}
