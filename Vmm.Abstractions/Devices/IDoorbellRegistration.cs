// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Devices;

/// <summary>A doorbell that is attached. Disposing it detaches it, once.</summary>
public interface IDoorbellRegistration : IDisposable
{
    /// <summary>
    /// Whether the hypervisor itself adds to the eventfd, so that a write does not leave the guest. Otherwise the engine does at the write's
    /// exit. Any thread.
    /// </summary>
    bool IsTakenByHypervisor { get; }
}
