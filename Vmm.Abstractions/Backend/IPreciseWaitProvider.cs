// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>An optional interface of a hypervisor whose host can wait precisely.</summary>
public interface IPreciseWaitProvider
{
    /// <summary>Makes a wait. It does not depend on the hypervisor's life.</summary>
    /// <returns>The wait, owned by the caller.</returns>
    /// <exception cref="Errors.VmmException">The host refuses.</exception>
    IPreciseWait CreatePreciseWait();
}
