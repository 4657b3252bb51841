// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Devices;

/// <summary>A range whose writes may be collected. Disposing it ends that, once.</summary>
public interface ICoalescedRange : IDisposable
{
    /// <summary>
    /// Whether the hypervisor collects writes, so that most do not leave the guest. Otherwise each write is delivered at once. Any thread.
    /// </summary>
    bool IsTakenByHypervisor { get; }
}
