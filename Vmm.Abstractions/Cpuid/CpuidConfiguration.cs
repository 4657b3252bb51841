// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Cpuid;

/// <summary>What CPUID answers on a vCPU (<c>vcpu_cpuid_config_t</c>).</summary>
[VmmKernelSymbol("vcpu_cpuid_config")]
[VmmKernelSymbol("vcpu_cpuid_config_t")]
public sealed class CpuidConfiguration
{
    /// <summary>The most entries a configuration may have.</summary>
    public const int MaxEntries = 256;

    private const CpuidFlags KnownFlags = CpuidFlags.LegacyHandling | CpuidFlags.IntelFallback;

    private CpuidConfiguration(CpuidFlags flags, ImmutableArray<CpuidEntry> entries)
    {
        Flags = flags;
        Entries = entries;
    }

    /// <summary>The configuration of a new vCPU: answers derived from the host's.</summary>
    [VmmKernelSymbol("vcpu_cpuid_init")]
    public static CpuidConfiguration Legacy { get; } = new(CpuidFlags.LegacyHandling, []);

    /// <summary>How the entries are used.</summary>
    [VmmKernelSymbol("vcpu_cpuid_config.vcc_flags")]
    public CpuidFlags Flags { get; }

    /// <summary>The entries, in the order in which they were given.</summary>
    [VmmKernelSymbol("vcpu_cpuid_config.vcc_nent")]
    [VmmKernelSymbol("vcpu_cpuid_config.vcc_entries")]
    public ImmutableArray<CpuidEntry> Entries { get; }

    /// <summary>Builds a configuration from a private copy of the entries.</summary>
    /// <param name="flags">How the entries are used.</param>
    /// <param name="entries">At most 256 entries; none with <see cref="CpuidFlags.LegacyHandling"/>.</param>
    /// <returns>The configuration.</returns>
    /// <exception cref="VmmException">EINVAL: too many entries, unknown flags, or legacy handling with entries.</exception>
    public static CpuidConfiguration Create(CpuidFlags flags, ReadOnlySpan<CpuidEntry> entries)
    {
        if (entries.Length > MaxEntries)
        {
            throw Invalid($"{entries.Length} entries are more than {MaxEntries}");
        }

        if ((flags & ~KnownFlags) != 0)
        {
            throw Invalid($"unknown flags 0x{(int)flags:x}");
        }

        if ((flags & CpuidFlags.LegacyHandling) != 0 && !entries.IsEmpty)
        {
            throw Invalid("legacy handling takes no entries");
        }

        return new(flags, [.. entries]);
    }

    private static VmmException Invalid(string message) => new("vm_set_cpuid", VmmError.EINVAL, message);
}
