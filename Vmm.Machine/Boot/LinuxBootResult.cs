// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;

namespace Vmm.Machine.Boot;

/// <summary>What a Linux kernel's loading has led to.</summary>
public sealed record LinuxBootResult
{
    /// <summary>The boot processor's registers.</summary>
    public required BootState State { get; init; }

    /// <summary>At which entry the kernel is started.</summary>
    public required KernelEntry Entry { get; init; }

    /// <summary>How the kernel of a bzImage is compressed.</summary>
    public PayloadFormat Format { get; init; }

    /// <summary>The version text of a bzImage; empty for a vmlinux.</summary>
    public string KernelVersion { get; init; } = string.Empty;

    /// <summary>One sentence on how the kernel is entered and why, for a log or a report.</summary>
    public required string Remark { get; init; }

    /// <summary>Where the initial RAM disk is; null when there is none.</summary>
    public GuestPhysicalAddress? Initrd { get; init; }

    /// <summary>Everything that was written or kept free, in the order of loading.</summary>
    public required IReadOnlyList<BootPlacement> Placements { get; init; }
}
