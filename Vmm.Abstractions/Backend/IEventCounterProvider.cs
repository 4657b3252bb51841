// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Abstractions.Backend;

/// <summary>An optional interface of a hypervisor that takes and gives signals by eventfd(2).</summary>
public interface IEventCounterProvider
{
    /// <summary>Makes a counter at zero. It does not depend on the hypervisor's life. Any thread.</summary>
    /// <returns>The counter, owned by the caller.</returns>
    /// <exception cref="Errors.VmmException">The host refuses: EMFILE, for example.</exception>
    IEventCounter CreateEventCounter();
}
