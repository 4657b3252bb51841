// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Abstractions.Memory;

/// <summary>The handlers of a VM for memory-mapped input and output.</summary>
public interface IMmioSpace
{
    /// <summary>Gives a range a handler. Any thread; takes effect for accesses that begin afterwards.</summary>
    /// <param name="range">The range.</param>
    /// <param name="handler">The handler.</param>
    /// <returns>The registration; disposing it detaches the handler, once.</returns>
    /// <exception cref="Errors.VmmException">EEXIST: the range overlaps that of another handler.</exception>
    IDisposable Attach(GuestPhysicalRange range, IMmioHandler handler);
}
