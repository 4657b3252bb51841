// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The writes that the hypervisor has collected for the vCPU's VM. An optional interface of a backend vCPU, for its owner; all vCPUs of a
/// VM give out the same writes, and one of them is asked at a time.
/// </summary>
public interface IBackendCollectedWrites
{
    /// <summary>How many writes there can be at one time.</summary>
    int Capacity { get; }

    /// <summary>Takes the oldest write.</summary>
    /// <param name="write">The write.</param>
    /// <returns><see langword="false"/> when there is none.</returns>
    bool TryTake(out CollectedWrite write);
}
