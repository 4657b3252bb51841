// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;

namespace Vmm.Machine.Diagnostics;

/// <summary>The model-specific registers that a guest touched, as far as the accesses reached this process.</summary>
/// <param name="Accesses">How often each was touched and who answered, by register.</param>
/// <param name="Others">Accesses to further registers, counted in one sum.</param>
public sealed record MsrReport(ImmutableArray<MsrAccessCount> Accesses, long Others)
{
    /// <summary>Makes the report of a VM.</summary>
    /// <param name="log">Its accesses.</param>
    /// <returns>The report; null when there were none.</returns>
    public static MsrReport? Of(MsrAccessLog log)
    {
        ArgumentNullException.ThrowIfNull(log);
        ImmutableArray<MsrAccessCount> accesses = log.Snapshot();
        return accesses.IsEmpty ? null : new MsrReport(accesses, log.Others);
    }

    /// <summary>A register for a person.</summary>
    /// <param name="index">The register.</param>
    /// <returns>Its name and index, or the index alone where it has no name.</returns>
    public static string Describe(MsrIndex index) => MsrRegistry.TryFind(index, out MsrDescription description)
        ? $"{description.Name} (0x{index.Value:x})"
        : $"register 0x{index.Value:x}";

    /// <summary>Who answered, for a person.</summary>
    /// <param name="answer">Who.</param>
    /// <returns>Words that end a line about the register.</returns>
    public static string Describe(MsrAnswer answer) => answer switch
    {
        MsrAnswer.Chip => "answered by a chip",
        MsrAnswer.Ours => "kept by the engine",
        MsrAnswer.Handler => "answered by a device",
        MsrAnswer.Policy => "answered by policy (reads as is known or zero, writes ignored)",
        MsrAnswer.Fault => "unknown: #GP",
        MsrAnswer.Refused => "refused: #GP",
        MsrAnswer.Hypervisor => "carried out on the hypervisor's register",
        _ => "unknown: the guest was ended",
    };
}
