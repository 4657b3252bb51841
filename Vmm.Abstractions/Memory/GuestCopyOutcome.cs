// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>How the planning of a copy to or from linear addresses ended.</summary>
public enum GuestCopyOutcome
{
    /// <summary>The plan is ready.</summary>
    Ready = 0,

    /// <summary>The guest got an exception; nothing is held.</summary>
    Faulted = 1,

    /// <summary>EFAULT: a page table or page is not memory that allows the access; nothing is held.</summary>
    NotMemory = 2,
}
