// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Cpuid;

/// <summary>How a CPUID configuration is used (<c>VCC_FLAG_*</c>).</summary>
[Flags]
public enum CpuidFlags
{
    /// <summary>The entries answer; what has no entry reads zero.</summary>
    None = 0,

    /// <summary>No entries: the answers derive from the host's (<c>VCC_FLAG_LEGACY_HANDLING</c>).</summary>
    LegacyHandling = 1,

    /// <summary>
    /// A leaf out of range answers like the last standard one, as Intel's processors do
    /// (<c>VCC_FLAG_INTEL_FALLBACK</c>).
    /// </summary>
    IntelFallback = 2,
}
