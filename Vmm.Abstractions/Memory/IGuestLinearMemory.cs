// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Registers;

namespace Vmm.Abstractions.Memory;

/// <summary>
/// Copies between the host and a guest's linear addresses through its page tables. An optional interface of a vCPU; the
/// caller owns the vCPU from planning a copy until the plan is disposed.
/// </summary>
public interface IGuestLinearMemory
{
    /// <summary>
    /// Translates a range page by page, with the access rules and the accessed and dirty bits of a guest access, and
    /// holds every page of it.
    /// </summary>
    /// <param name="paging">The paging state to translate by.</param>
    /// <param name="address">The first linear address.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="access">Read to copy in, write to copy out, read and execute to fetch.</param>
    /// <param name="plan">The plan; dispose it to let the pages go.</param>
    /// <returns>Whether the plan is ready, the guest got an exception, or the range is not memory.</returns>
    [VmmKernelSymbol("vm_copy_setup")]
    GuestCopyOutcome PlanCopy(
        in GuestPaging paging,
        GuestLinearAddress address,
        int length,
        MemoryProtection access,
        out IGuestCopyPlan? plan);
}
