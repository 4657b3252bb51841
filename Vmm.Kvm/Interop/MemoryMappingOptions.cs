// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>How host memory for a guest is mapped.</summary>
internal sealed record MemoryMappingOptions
{
    /// <summary>Nothing special.</summary>
    public static MemoryMappingOptions Default { get; } = new();

    /// <summary>Backs the memory with a memfd of this name instead of anonymous pages, so that it can be shared.</summary>
    public string? MemfdName { get; init; }

    /// <summary>Seals the memfd against growing, shrinking and further seals.</summary>
    public bool SealSize { get; init; }

    /// <summary>Takes the memfd from the pool of reserved huge pages (<c>vm.nr_hugepages</c>); length in huge pages.</summary>
    public bool ReservedHugePages { get; init; }

    /// <summary>Asks for transparent huge pages; a kernel without them refuses with EINVAL.</summary>
    public bool HugePageAdvice { get; init; }

    /// <summary>Populates and locks all pages now, so that the host never pages them out.</summary>
    public bool Wired { get; init; }

    /// <summary>Keeps the memory out of child processes.</summary>
    public bool NotInChildren { get; init; } = true;

    /// <summary>Keeps the memory out of core dumps.</summary>
    public bool NotInCoreDumps { get; init; }
}
