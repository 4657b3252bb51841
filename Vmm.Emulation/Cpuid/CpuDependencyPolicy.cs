// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>What happens when a change would leave a feature without one that it needs.</summary>
public enum CpuDependencyPolicy
{
    /// <summary>What is needed is turned on, and what would be left alone is turned off, with a message.</summary>
    Repair = 0,

    /// <summary>The change is refused, with a message.</summary>
    Refuse,
}
