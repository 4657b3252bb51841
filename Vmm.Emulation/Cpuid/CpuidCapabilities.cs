// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>What other emulation may rely on (<c>vm_cpuid_capability</c>).</summary>
public static class CpuidCapabilities
{
    /// <summary>Whether a guest may be offered a feature.</summary>
    /// <param name="host">The host's processor.</param>
    /// <param name="capability">The feature.</param>
    /// <returns>For no-execute pages whether the host has them; the others are never offered.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the features.</exception>
    public static bool Has(ICpuidSource host, CpuidCapability capability)
    {
        ArgumentNullException.ThrowIfNull(host);
        return capability switch
        {
            CpuidCapability.NoExecute => (host.Query(0x8000_0001, 0).Edx >> 20 & 1) != 0,
            CpuidCapability.FastFxsave or CpuidCapability.TranslationCacheExtension => false,
            _ => throw new ArgumentOutOfRangeException(nameof(capability), capability, "not a feature that can be asked for"),
        };
    }
}
