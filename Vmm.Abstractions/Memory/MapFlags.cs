// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>How a mapping is made (<c>VM_MEMMAP_F_*</c>).</summary>
[Flags]
public enum MapFlags
{
    /// <summary>Pages come when they are touched.</summary>
    None = 0,

    /// <summary>All pages are brought in, and kept in, before the mapping is made.</summary>
    Wired = 1,
}
